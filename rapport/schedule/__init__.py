"""Work that comes round by itself: every quarter of an hour, every night."""
