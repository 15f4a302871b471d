"""Starting what is due, once, whoever looks; what failed is tried again."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.schedule import repository, rules
from rapport.schedule.rules import Rhythm
from rapport.shop.facts import get_facts

log = logging.getLogger(__name__)

MAX_OUTCOME = 200


@dataclass(frozen=True)
class Job:
    """Something to be done again and again. It may be repeated or cut off at any moment without harm.

    `run` opens its own sessions and returns what it did in a few words.
    """

    name: str
    about: str
    rhythm: Rhythm
    run: Callable[[Engine], str]


def run_due(engine: Engine, jobs: Sequence[Job]) -> list[str]:
    """Run every job that is due; returns their names. What fails is logged and does not stop the others."""
    return [job.name for job in jobs if _claim_and_run(engine, job)]


def run_now(engine: Engine, job: Job) -> str:
    """Run a job whether it is due or not, and note it. Whatever it raises is raised."""
    now = clock.now()
    with session_scope(engine) as session:
        repository.claim(session, job.name, repository.last_run(session, job.name), now, now + rules.LEASE)
    outcome = job.run(engine)
    with session_scope(engine) as session:
        repository.finish(
            session,
            job.name,
            now,
            finished_at=clock.now(),
            lease_until=None,
            outcome=outcome[:MAX_OUTCOME],
        )
    return outcome


def _claim_and_run(engine: Engine, job: Job) -> bool:
    now = clock.now()
    with read_scope(engine) as session:  # most of the time nothing is due, and looking takes no write lock
        seen = repository.last_run(session, job.name)
    if not rules.is_due(job.rhythm, seen, now, get_facts().timezone):
        return False
    with session_scope(engine) as session:
        if not repository.claim(session, job.name, seen, now, now + rules.LEASE):
            return False
    try:
        outcome = job.run(engine)
        ended = {"finished_at": clock.now(), "lease_until": None, "outcome": outcome[:MAX_OUTCOME]}
        log.info("Job %s: %s", job.name, outcome)
    except Exception as error:  # noqa: BLE001 - one job's trouble is not the others'
        # The exception's own text may quote a row.
        trace = "".join(traceback.format_tb(error.__traceback__))
        log.error("Job %s failed: %s\n%s", job.name, type(error).__name__, trace)
        ended = {
            "lease_until": clock.now() + rules.RETRY_AFTER,
            "outcome": f"failed: {type(error).__name__}",
        }
    with session_scope(engine) as session:
        repository.finish(session, job.name, now, **ended)
    return True
