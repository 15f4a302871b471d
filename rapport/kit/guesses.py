"""Limits for whoever shows a signature or link that is not right."""

from __future__ import annotations

from starlette.requests import Request

from rapport.kit import addresses
from rapport.kit.rates import Rate
from rapport.kit.settings import Settings


class Guesses:
    """Who guesses is told to wait; who shows what is right never is."""

    def __init__(self, settings: Settings) -> None:
        self._proxies = addresses.parse_proxies(settings.trusted_proxies)
        self._limited = settings.rate_limits
        self._wrong = Rate(30, 60)

    def count(self, request: Request) -> None:
        """Another wrong one from this address. Raises TooManyRequestsError."""
        if self._limited:
            self._wrong.check(addresses.rate_key(addresses.client_address(request, self._proxies)))
