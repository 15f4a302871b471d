"""The fixtures of the conversation engine, for people who step in."""

from tests.console.conftest import quick_hashes
from tests.conversations.conftest import make_engine, make_turns

__all__ = ["make_engine", "make_turns", "quick_hashes"]
