"""Background work on journeys: finding who begins one, deciding what is due.

Each step is decided in a transaction of its own: killed before its commit, nothing happened; after it, the
outbox or the channel has it. Two workers never have the same step in hand.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import Engine

from rapport.kit import clock
from rapport.kit.database import DATABASE_AWAY, read_scope, session_scope
from rapport.outreach.journeys import deciding, finding, repository, service
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.triggers import KINDS, QUICK

log = logging.getLogger(__name__)

# Then the other jobs get their turn.
MOST_STEPS = 2000


def run(engine: Engine) -> str:
    """Find who begins a journey, decide what is due; says in a few words what came of it."""
    return _told(find(engine) + decide_due(engine))


def run_often(engine: Engine) -> str:
    """The same, but only who begins because of what they did just now is looked for."""
    return _told(find(engine, QUICK) + decide_due(engine))


def find(engine: Engine, kinds: Collection[str] = KINDS.keys()) -> Counter[str]:
    """Everybody a trigger of these kinds brings now begins their journey; how many did (`entered`), and for
    how many journeys that failed (`searches failed`), which are tried again the next time.
    """
    done: Counter[str] = Counter()
    now = clock.now()
    for key, journey in service.journeys().items():
        if journey.trigger.on not in kinds:
            continue
        try:
            for entered in _enter(engine, key, journey, now):
                done["entered"] += entered
        except DATABASE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - one journey's trouble is not the others'
            _log(f"Who begins the journey {key} cannot be found", error)
            done["searches failed"] += 1
    return done


def _enter(engine: Engine, key: str, journey: Journey, now: datetime) -> Iterator[int]:
    """Some at a time; how many of them did."""
    with read_scope(engine) as reading:
        for found in finding.chunks(reading, key, journey, now):
            reading.rollback()  # what is found next must see who has entered
            with session_scope(engine) as session:
                entered = finding.enter_some(session, key, journey, found, now)
            yield entered


def _log(what: str, error: Exception) -> None:
    """Without the exception's own text, which may quote a row."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s: %s\n%s", what, type(error).__name__, trace)


def _told(done: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(done.items()) if count) or "nothing was due"


def decide_due(engine: Engine, limit: int = MOST_STEPS) -> Counter[str]:
    """Decide what is due, one step after the other; how many were sent, put off (`later`) and not sent."""
    done: Counter[str] = Counter()
    for _ in range(limit):
        outcome = decide_next(engine)
        if outcome is None:
            break
        done[outcome] += 1
    return done


def decide_next(engine: Engine) -> str | None:
    """Decide the step that is due first: what became of it (send, later, never, busy, failed); None when
    none is, or others have those there are in hand.
    """
    now = clock.now()
    with read_scope(engine) as session:  # most of the time there is nothing, and looking takes no write lock
        if not repository.something_due(session, now):
            return None
    step_id, journeys = None, service.journeys()
    try:
        with session_scope(engine) as session:
            row = repository.claim(session, now)
            if row is None:
                return None
            step_id, journey = row.id, row.journey
            decision = deciding.decide(session, row, journeys, now)
    except DATABASE_AWAY:
        raise
    except Exception as error:
        if step_id is None:
            raise
        _log(f"Step {step_id} cannot be decided", error)
        with session_scope(engine) as session:
            row = repository.waiting_step(session, step_id)
            if row is not None:
                deciding.failed(session, row, journeys, now)
        return "failed"
    outcome = decision.outcome if decision is not None else "busy"
    log.info("Step %d (%s): %s%s", step_id, journey, outcome, f", {decision.reason}" if decision else "")
    return outcome
