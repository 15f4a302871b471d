"""What a shop owner changes in the console: overrides of the shop's files, in versions."""
