"""The contact policy: whether, when and on which channel somebody may hear from us unasked."""
