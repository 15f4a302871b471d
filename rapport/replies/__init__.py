"""Canned replies: what staff say often, ready in four languages."""
