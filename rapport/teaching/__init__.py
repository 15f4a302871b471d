"""Teaching the bot: what staff correct becomes training examples, and these a better model or none."""
