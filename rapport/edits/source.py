"""What the database's edits say now, for all threads of a process, without a query per call.

The newest row is looked for once a second at most, and at once after a commit in this process. A database
that is away, or older than the table, changes nothing: what was known before stays.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Engine

from rapport.edits import repository
from rapport.kit.database import read_scope

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
# After a look that failed.
RETRY_SECONDS = 10.0
Edits = Mapping[str, Any]
NOTHING: Edits = MappingProxyType({})


class Source:
    """The newest value of each section; the same object as long as nothing was edited."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._due = float("-inf")
        # How often something was committed here, and up to which of these we have looked.
        self._commits = 1
        self._looked = 0
        self._state: object = None
        self._edits = NOTHING

    def get(self) -> Edits:
        """What counts now, by section."""
        old = self._looked != self._commits
        if not old and time.monotonic() < self._due:
            return self._edits
        # One thread looks. The others go on with what there is, unless it is known to be old.
        if not self._lock.acquire(blocking=old):
            return self._edits
        try:
            if self._looked != self._commits or time.monotonic() >= self._due:
                self._look()
        finally:
            self._lock.release()
        return self._edits

    def changed(self) -> None:
        """Something was committed: the next call looks again."""
        with self._counting:
            self._commits += 1

    def _look(self) -> None:
        # Whatever is committed while we look is looked for again.
        commits = self._commits
        try:
            engine = self._engine()
            if _is_there(engine):
                with read_scope(engine) as session:
                    state = repository.state(session)
                    if state != self._state:
                        self._edits = MappingProxyType(repository.values(session))
                        self._state = state
        except Exception as error:  # noqa: BLE001 - whatever is wrong there, the assistant goes on
            log.warning(
                "What was edited in the console cannot be read (%s); what was known before counts.",
                type(error).__name__,
            )
            self._due = time.monotonic() + RETRY_SECONDS
        else:
            self._due = time.monotonic() + CHECK_SECONDS
        self._looked = commits


_source: Source | None = None


def follow(engine: Callable[[], Engine] | None) -> None:
    """From now on this process takes over what is edited in that database; with None, in none."""
    global _source
    _source = Source(engine) if engine else None


def get_edits() -> Edits:
    """The newest value of each edited section; nothing in a process that follows no database."""
    source = _source
    return source.get() if source else NOTHING


def changed() -> None:
    """To be called after a commit that edited something."""
    if source := _source:
        source.changed()


def _is_there(engine: Engine) -> bool:
    """A command that only looks must not create an empty SQLite file."""
    path = engine.url.database
    return engine.dialect.name != "sqlite" or path in {None, "", ":memory:"} or Path(str(path)).exists()
