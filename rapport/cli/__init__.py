"""The `rapport` command: one file per command, main.py puts them together."""
