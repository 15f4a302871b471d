"""Background work of mentions: asking sources what is new, storing what they tell, sending answers.

Nothing is open in the database while a source is called. What is fetched is stored before the cursor moves
on, so a kill in between costs nothing: what comes again changes nothing. An answer that was in a source's
hands when we were killed is marked unknown and not sent again.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from rapport.cases import repository as cases
from rapport.channels.base import InDoubtError, RefusedError, TryAgainError
from rapport.channels.rules import patience
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.mentions import answers, intake, registry, repository, rules
from rapport.mentions.base import Event, PolledSource, Source, Target
from rapport.mentions.models import Mention, MentionAnswer

log = logging.getLogger(__name__)

NOT_TAKEN = "no answer from the source"
_one_at_a_time = threading.Lock()


def run(engine: Engine, sources: Mapping[str, Source] | None = None) -> str:
    """Ask every source that is to be asked, and send what is due."""
    sources = registry.current() if sources is None else sources
    done: Counter[str] = Counter()
    for source in sources.values():
        if isinstance(source, PolledSource):
            done["read"] += poll(engine, source)
    done["sent"] += send_due(engine, sources)
    return ", ".join(f"{count} {what}" for what, count in sorted(done.items()) if count) or "nothing new"


def take(engine: Engine, source: Source, events: Iterable[Event]) -> int:
    """Store what a source told, each in a transaction of its own; how many were new or changed."""
    count = 0
    for event in events:
        reading = intake.read(event)
        with session_scope(engine) as session:
            count += intake.take(session, source, event, reading) is not None
    return count


# --- asking ------------------------------------------------------------------------------------------------


def poll(engine: Engine, source: PolledSource) -> int:
    """Ask a source what is new, and what became of what we know; how many were new or changed.

    What goes wrong is kept for the pages of staff and `rapport doctor`, and tried again the next time.
    """
    now = clock.now()
    with session_scope(engine) as session:
        known = repository.source(session, source.name)
        cursor, paused = dict(known.cursor), known.paused_until
        again = intake.checked_soon(session, source.name, now) if not _is_paused(paused, now) else []
    if _is_paused(paused, now):
        return 0
    try:
        fetched = source.fetch(cursor)
        count = take(engine, source, fetched.events)
        _note(engine, source.name, cursor=dict(fetched.cursor), read_at=now, last_error=None)
        if fetched.pause is not None:
            _pause(engine, source.name, fetched.pause)
        elif again:
            count += take(engine, source, source.look_again(again, now))
    except (RefusedError, TryAgainError, InDoubtError) as error:
        _trouble(engine, source.name, error)
        return 0
    except Exception as error:  # noqa: BLE001 - the other sources must be asked all the same
        trace = "".join(traceback.format_tb(error.__traceback__))
        log.error("Mentions on %s: %s\n%s", source.name, type(error).__name__, trace)
        _note(engine, source.name, last_error=type(error).__name__)
        return 0
    return count


def _is_paused(until: datetime | None, now: datetime) -> bool:
    return until is not None and until > now


def _trouble(engine: Engine, name: str, error: Exception) -> None:
    log.warning("Mentions on %s: %s", name, error or NOT_TAKEN)
    _note(engine, name, last_error=(str(error) or NOT_TAKEN)[:300])
    if isinstance(error, TryAgainError) and error.after is not None:
        _pause(engine, name, error.after)


def _pause(engine: Engine, name: str, seconds: float) -> None:
    _note(engine, name, paused_until=clock.now() + timedelta(seconds=patience(seconds)))


def _note(engine: Engine, name: str, **values: Any) -> None:
    with session_scope(engine) as session:
        known = repository.source(session, name)
        for key, value in values.items():
            setattr(known, key, value)


# --- answering ---------------------------------------------------------------------------------------------


def send_due(engine: Engine, sources: Mapping[str, Source] | None = None) -> int:
    """Send every answer that is due; how many were sent."""
    sources = registry.current() if sources is None else sources
    sent = 0
    # Within this process; others are kept apart by the lease. Nobody waits: a source that is slow would hold
    # every thread there is, as each request of it ends here.
    if not _one_at_a_time.acquire(blocking=False):
        return 0
    try:
        while (claimed := _claim(engine, sources)) is not None:
            answer, version, in_doubt, lease_until = claimed
            outcome = {"status": "unknown", "last_error": NOT_TAKEN} if in_doubt else None
            outcome = outcome or _attempt(engine, sources[answer.source], answer)
            sent += _finish(engine, answer, version, lease_until, outcome)
    finally:
        _one_at_a_time.release()
    return sent


def _claim(engine: Engine, sources: Mapping[str, Source]) -> tuple[MentionAnswer, int, bool, datetime] | None:
    """An answer that is due, its mention's version, whether it may have been sent, and the lease's end."""
    now = clock.now()
    with read_scope(engine) as session:  # looking takes no write lock
        seen = repository.seen_sources(session)
        names = [n for n in sources if n not in seen or not _is_paused(seen[n].paused_until, now)]
        if not repository.something_due(session, now, names):
            return None
    lease_until = now + rules.LEASE
    with session_scope(engine) as session:
        claimed = repository.claim(session, now, lease_until, names)
        if claimed is None:
            return None
        answer, in_doubt = claimed
        return answer, session.get_one(Mention, answer.mention_id).version, in_doubt, lease_until


def _attempt(engine: Engine, source: Source, answer: MentionAnswer) -> dict[str, Any]:
    """Try one answer; the columns that tell what came of it."""
    with read_scope(engine) as session:
        mention = session.get_one(Mention, answer.mention_id)
        # Whose account it is may have become known since it was decided.
        strict = not answer.private or mention.customer_id is None
        found = answers.what_it_gives_away(session, mention, answer.text) if strict else ()
        target = Target(
            source_id=mention.source_id,
            author=mention.author,
            visibility=mention.visibility,
            language=mention.language,
            key=f"rapport-{answer.key}",
            details=mention.details,
        )
        removed = mention.removed_at is not None
    if removed:
        return {"status": "cancelled", "last_error": "its author took the mention back"}
    if found:
        return {"status": "failed", "last_error": f"it would say in public: {', '.join(found)}"}
    try:
        provider_id = source.answer(target, answer.text, answer.private)
    except RefusedError as error:
        return {"status": "failed", "last_error": str(error)[:300]}
    except TryAgainError as error:
        if error.channel:
            _trouble(engine, source.name, error)
        return _later(answer, error)
    except InDoubtError:
        return {"status": "unknown", "last_error": NOT_TAKEN}
    except Exception as error:  # noqa: BLE001 - it may have been sent; the others must go on
        # The exception's own text may quote the answer.
        trace = "".join(traceback.format_tb(error.__traceback__))
        log.error("Answer %d: %s\n%s", answer.id, type(error).__name__, trace)
        return {"status": "unknown", "last_error": type(error).__name__}
    return {"status": "sent", "sent_at": clock.now(), "provider_id": provider_id[:200], "last_error": None}


def _later(answer: MentionAnswer, error: TryAgainError) -> dict[str, Any]:
    at = rules.next_attempt(answer.attempts, clock.now(), answer.created_at, error.after)
    if at is None:
        return {"status": "failed", "last_error": str(error)[:300]}
    return {"status": "queued", "next_attempt_at": at, "last_error": str(error)[:300]}


def _finish(
    engine: Engine, answer: MentionAnswer, version: int, lease_until: datetime, outcome: dict[str, Any]
) -> bool:
    """Write down what came of it; whether it was sent. `version` of its mention: as it was before."""
    with session_scope(engine) as session:
        mention = repository.lock(session, answer.mention_id)
        if outcome["status"] == "queued" and mention is not None and mention.version != version:
            # Who changes a mention cancels what waits, but this was on its way.
            outcome = {"status": "cancelled", "last_error": "the mention changed meanwhile"}
        kept = repository.release(session, answer.id, lease_until, **outcome)
        sent = kept and outcome["status"] == "sent"
        if sent and mention is not None:
            mention.state = "answered"
            repository.source(session, answer.source).last_error = None  # whatever it was, it is over
            session.flush()
            case = repository.case_of(session, mention)
            if case is not None:
                what = "wrote_back" if answer.private else "answered_in_public"
                cases.add_event(session, case, what, answer.staff_id, answer.text)
    if kept:
        log.info("Answer %d to a mention on %s: %s", answer.id, answer.source, outcome["status"])
    return sent
