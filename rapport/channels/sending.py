"""The thread that sends: one message on the wire at a time, so that a kill leaves one in doubt at most.

Each is claimed, sent without an open transaction, and only then noted. When the lease of one that was being
sent runs out, its process was killed: an answer is sent again, for better twice than never; what nobody
asked for is marked unknown and left. A provider that never answers gets an answer of ours twice, no oftener.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.channels import outbound, repository, rules
from rapport.channels.base import (
    InDoubtError,
    MessagingChannel,
    Part,
    RefusedError,
    Target,
    TryAgainError,
)
from rapport.channels.models import Delivery
from rapport.customers import repository as customers
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import get_settings
from rapport.outreach import last_look, letter
from rapport.outreach.journeys import recall
from rapport.preferences import links

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# A channel that is down is asked this much later, then twice as much, up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
# One that takes so long to say nothing hangs, and would keep the people on the other channels waiting.
HANGS_SECONDS = 3.0
# How often an answer is sent again to a provider that does not say whether it took it, and after kills.
SILENT_REPEATS, KILLED_REPEATS = 1, 3


@dataclass
class Job:
    """A claimed delivery, as it was then."""

    delivery: Delivery
    channel: MessagingChannel
    lease_until: datetime
    in_doubt: bool


@dataclass(frozen=True)
class Letter:
    """All that is needed to send it."""

    target: Target
    parts: list[Part]
    last_inbound_at: datetime


class Sender:
    """Sends what is due on the channels that are switched on; what is for others waits for theirs."""

    def __init__(self, database: Engine, channels: Mapping[str, MessagingChannel]) -> None:
        self._database = database
        self._channels = channels
        self._stopping = threading.Event()
        self._paused: dict[str, tuple[float, float]] = {}  # channel → (until, for how long)
        self._thread = threading.Thread(target=self._run, name="sending", daemon=True)

    def start(self) -> None:
        if self._channels:
            self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End after the message in hand."""
        self._stopping.set()
        outbound.queued.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Cleared before looking: whatever is committed while we look sets it again.
            outbound.queued.clear()
            try:
                while not self._stopping.is_set() and self.send_next():
                    pass
            except Exception as error:  # noqa: BLE001 - the thread must outlive a database that is away
                # The exception's own text may quote a row.
                trace = "".join(traceback.format_tb(error.__traceback__))
                log.error("Sending: %s\n%s", type(error).__name__, trace)
            if not self._stopping.is_set():
                outbound.queued.wait(LOOK_SECONDS)

    def send_next(self) -> bool:
        """Send the next delivery that is due, or find out that it cannot be; False when nothing is due."""
        job = self._claim()
        if job is None:
            return False
        began = time.monotonic()
        try:
            self._send(job)
        except RefusedError as error:
            self._refused(job, str(error), error.gone)
        except InDoubtError:
            if time.monotonic() - began > HANGS_SECONDS:
                self._pause(job.channel.name, None)
            self._doubtful(job)
        except TryAgainError as error:
            if error.channel:
                self._pause(job.channel.name, error.after)
            self._later(job, str(error), error.after)
        except Exception as error:  # noqa: BLE001 - one that cannot be sent must not keep the others waiting
            trace = "".join(traceback.format_tb(error.__traceback__))
            log.error("Delivery %d: %s\n%s", job.delivery.id, type(error).__name__, trace)
            self._later(job, type(error).__name__, None)
        else:
            self._paused.pop(job.channel.name, None)
        return True

    def _claim(self) -> Job | None:
        now = clock.now()
        with read_scope(self._database) as session:  # looking takes no write lock
            due = repository.due_channels(session, now, self._open())
        if not due:
            return None
        lease_until = now + rules.LEASE
        with session_scope(self._database) as session:
            claimed = repository.claim(session, now, lease_until, due)
            if claimed is None:
                return None
            delivery, in_doubt = claimed
            delivery.repeats += in_doubt and delivery.asked
        # Nothing else in that transaction: what cannot be prepared must not undo it and be claimed for ever.
        return Job(delivery, self._channels[delivery.channel], lease_until, in_doubt)

    def _letter(self, job: Job) -> Letter:
        """Raises RefusedError when it is not to be sent any more."""
        delivery, channel, now = job.delivery, job.channel, clock.now()
        if rules.too_old(delivery.created_at, now, delivery.asked):
            raise RefusedError("too old")
        with read_scope(self._database) as session:
            point = repository.contact_of(session, delivery.conversation_id)
            if point is None or point.unreachable_since is not None:
                raise RefusedError("cannot be reached")
            held_back = delivery.next_attempt_at - delivery.created_at >= rules.CAPPED_FOR
            if held_back and not delivery.asked and repository.overtaken(session, delivery):
                raise RefusedError("it was held back, and they have had something later")
            text, content, language = repository.message(session, delivery)
            below = ""
            if not delivery.asked:
                below = letter.last_line(get_settings(), point.customer_id, text, language)
                text, content = _with_own_links(text, content, point.customer_id, language)
            key = f"{delivery.conversation_id}:{delivery.sequence}"
            subject = (
                repository.subject(session, channel.name, point.thread) if channel.has_subjects else None
            )
            return Letter(
                Target(point.address, key, language, point.thread, content.get("details", {}), subject),
                rules.parts(text, content, delivery.sequence, channel.limits, below),
                point.last_inbound_at,
            )

    def _send(self, job: Job) -> None:
        delivery = job.delivery
        if job.in_doubt and not (delivery.asked and delivery.repeats <= KILLED_REPEATS):
            raise InDoubtError
        if delivery.cancelled_at is not None:
            self._note(job, status="cancelled", lease_until=None)
            return
        if not delivery.asked and self._is_put_off(job):
            return
        letter = self._letter(job)
        parts, provider_id = letter.parts, None
        for number, part in enumerate(parts[delivery.parts_sent :], delivery.parts_sent + 1):
            if not rules.may_write(letter.last_inbound_at, clock.now(), job.channel.limits, part):
                raise RefusedError("they have not written for too long: only a template may be sent")
            target = replace(letter.target, key=f"{letter.target.key}:{number}")
            try:
                provider_id = job.channel.send(target, part)
            except RefusedError as error:
                # Nobody goes without their answer because a picture of it could not be fetched.
                if error.gone or part.image is None or number == len(parts):
                    raise
                log.warning(
                    "A picture of delivery %d on %s was left out: %s",
                    delivery.id,
                    job.channel.name,
                    error,
                )
            if number < len(parts):
                lease_until = clock.now() + rules.LEASE
                if not self._note(job, parts_sent=number, provider_id=provider_id, lease_until=lease_until):
                    log.warning("Delivery %d took too long; another goes on with it.", delivery.id)
                    return
                job.lease_until = lease_until
        self._note(
            job,
            status="sent",
            parts_sent=len(parts),
            provider_id=provider_id,
            sent_at=clock.now(),
            lease_until=None,
            last_error=None,
        )

    def _is_put_off(self, job: Job) -> bool:
        """Whether what nobody asked for is not for now: it waited, and it is night, or they complained.

        Raises RefusedError when it is not for later either.
        """
        delivery = job.delivery
        with session_scope(self._database) as session:
            decision = last_look.of_delivery(session, delivery, clock.now())
            if decision.until is not None:
                # It was no attempt: nobody was asked.
                values = {"next_attempt_at": decision.until, "attempts": delivery.attempts - 1}
                self._put_back(session, job, last_error=decision.reason, **values)
        if decision.outcome == "never":
            raise RefusedError(f"not any more: {decision.reason}")
        return decision.outcome == "later"

    def _refused(self, job: Job, reason: str, gone: bool) -> None:
        log.info("Delivery %d on %s was refused: %s", job.delivery.id, job.channel.name, reason)
        with session_scope(self._database) as session:
            values = {"status": "failed", "last_error": reason[:300], "lease_until": None}
            repository.note(session, job.delivery.id, job.lease_until, **values)
            if gone:
                outbound.give_up(session, job.delivery.conversation_id, reason)

    def _doubtful(self, job: Job) -> None:
        """The provider never answered. An answer is sent again, once; anything else is not."""
        reason, repeats = "no answer from the provider", job.delivery.repeats
        if job.delivery.asked and repeats < SILENT_REPEATS:
            self._later(job, reason, None, repeats=repeats + 1)
        else:
            self._note(job, status="unknown", lease_until=None, last_error=reason)

    def _later(self, job: Job, reason: str, after: float | None, **values: Any) -> None:
        delivery = job.delivery
        at = rules.next_attempt(delivery.attempts, clock.now(), delivery.created_at, after, delivery.asked)
        values["last_error"] = reason[:300]
        if at is None:
            self._note(job, status="failed", lease_until=None, **values)
            return
        with session_scope(self._database) as session:
            self._put_back(session, job, next_attempt_at=at, **values)

    def _put_back(self, session: Session, job: Job, **values: Any) -> None:
        """Queue it again; if it was cancelled meanwhile it never left: its journey's step was not sent."""
        delivery = job.delivery
        point = None if delivery.asked else repository.contact_of(session, delivery.conversation_id)
        if point is not None:
            customers.lock_customer(session, point.customer_id)  # first, as who cancels it does
        repository.later(session, delivery.id, job.lease_until, **values)
        if point is not None:
            recall.did_not_leave(session, point.customer_id, job.lease_until - rules.LEASE)

    def _note(self, job: Job, **values: Any) -> bool:
        """False when the lease was lost to another."""
        with session_scope(self._database) as session:
            return repository.note(session, job.delivery.id, job.lease_until, **values)

    def _pause(self, channel: str, after: float | None) -> None:
        """Leave a channel alone for a while, and for as long as it asks for; the others go on."""
        last = self._paused.get(channel, (0.0, FIRST_PAUSE / 2))[1]
        pause = max(min(2 * last, LONGEST_PAUSE), rules.patience(after or 0.0))
        self._paused[channel] = (time.monotonic() + pause, pause)
        log.warning("%s takes no messages; trying again in %.0f s.", channel, pause)

    def _open(self) -> list[str]:
        """The channels that are switched on and not paused."""
        now = time.monotonic()
        return [name for name in self._channels if self._paused.get(name, (0.0, 0.0))[0] <= now]


def _with_own_links(
    text: str, content: dict[str, Any], customer_id: int, language: str
) -> tuple[str, dict[str, Any]]:
    """As in mails they are made as it leaves: nobody who reads the log can choose for them."""
    own = partial(links.with_own_url, get_settings(), customer_id=customer_id, language=language)
    if template := content.get("template"):
        parameters = [own(text=value) for value in template.get("parameters", ())]
        content = {**content, "template": {**template, "parameters": parameters}}
    return own(text=text), content
