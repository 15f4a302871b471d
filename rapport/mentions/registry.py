"""Which sources there are, and which of them are switched on. A source is added by its line here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from rapport.kit.settings import Settings, get_settings
from rapport.mentions import facebook, mastodon, signed
from rapport.mentions.base import Source

# Each makes the source the settings ask for, or None when they don't. Raises ConfigurationError when they ask
# for it without what it needs.
MAKERS: dict[str, Callable[[Settings], Source | None]] = {
    "mastodon": mastodon.make,
    "facebook": facebook.make,
    "webhook": signed.make,
}


def make(settings: Settings) -> dict[str, Source]:
    """The sources that are switched on, by name. Raises ConfigurationError."""
    return {name: source for name, maker in MAKERS.items() if (source := maker(settings)) is not None}


@cache
def current() -> dict[str, Source]:
    """Those of this installation. Raises ConfigurationError."""
    return make(get_settings())
