"""Errors the whole project shares. Each carries a sentence that says what to do next."""

from __future__ import annotations


class RapportError(Exception):
    """Something a person can mend; its text is shown to them as it stands."""


class ConfigurationError(RapportError):
    """A setting or file is missing or wrong."""


class NotFoundError(RapportError):
    """The thing asked for does not exist, or not for this caller."""


class UnauthorizedError(RapportError):
    """The caller has not shown who they are, or the proof has expired."""


class ForbiddenError(RapportError):
    """The caller has shown who they are, but may not do this."""


class InvalidInputError(RapportError):
    """What was sent cannot be taken; nothing was changed."""


class ConflictError(RapportError):
    """It contradicts what was stored before; nothing was changed."""


class TooManyRequestsError(RapportError):
    """A rate limit was reached; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
