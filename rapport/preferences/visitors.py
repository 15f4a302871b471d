"""Who is at our pages, as far as that matters: where on the network, and how much they ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from anyio import to_thread
from fastapi import Request
from sqlalchemy import Engine

from rapport.kit import addresses
from rapport.kit.errors import ForbiddenError
from rapport.kit.guesses import Guesses
from rapport.kit.rates import Rate
from rapport.kit.settings import Settings

T = TypeVar("T")


class Visitors:
    """Limits in memory. A link that works is limited by itself: a mail provider's servers unsubscribe people
    in great numbers from one address.
    """

    def __init__(self, settings: Settings, database: Engine) -> None:
        self.settings = settings
        self.database = database
        self.limited = settings.rate_limits
        self._proxies = addresses.parse_proxies(settings.trusted_proxies)
        self._per_link = Rate(30, 60)
        self._guesses = Guesses(settings)
        self._asking = Rate(10, 600)

    def address(self, request: Request) -> str:
        """The part of their address that they cannot change at will."""
        return addresses.rate_key(addresses.client_address(request, self._proxies))

    def count_link(self, link_id: str) -> None:
        """One use of a link. Raises TooManyRequestsError."""
        self._check(self._per_link, link_id)

    def count_wrong_link(self, request: Request) -> None:
        """Somebody came with what is no link. Raises TooManyRequestsError."""
        self._guesses.count(request)

    def count_asking(self, request: Request) -> None:
        """Somebody wants a mail sent. Raises TooManyRequestsError."""
        self._check(self._asking, self.address(request))

    @staticmethod
    def check_same_site(request: Request) -> None:
        """Raises ForbiddenError when a browser says that another site's page sends this.

        Whoever does not know the link cannot send it anyway, and there is no cookie to ride on.
        """
        if request.headers.get("sec-fetch-site") == "cross-site":
            raise ForbiddenError("This came from another site.")

    @staticmethod
    async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
        """What uses the database, beside the loop."""
        return await to_thread.run_sync(function, *arguments)

    def _check(self, rate: Rate, key: str) -> None:
        if self.limited:
            rate.check(key)
