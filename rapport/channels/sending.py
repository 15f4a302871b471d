"""The thread that sends: one message on the wire at a time, so that a kill leaves one in doubt at most.

Each is claimed, sent without an open transaction, and only then noted. When the lease of one that was being
sent runs out, its process was killed: an answer is sent again, for better twice than never; what nobody
asked for is marked unknown and left.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from rapport.channels import outbound, repository, rules
from rapport.channels.base import (
    InDoubtError,
    MessagingChannel,
    Part,
    RefusedError,
    Target,
    TryAgainError,
)
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# A channel that is down is asked this much later, then twice as much, up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
# One that takes so long to say nothing hangs, and would keep the people on the other channels waiting.
HANGS_SECONDS = 3.0


@dataclass
class Job:
    """A claimed delivery and all that is needed to send it."""

    delivery_id: int
    conversation_id: str
    channel: MessagingChannel
    target: Target
    parts: list[Part]
    done: int
    asked: bool
    attempts: int
    created_at: datetime
    last_inbound_at: datetime
    unreachable: bool
    lease_until: datetime
    in_doubt: bool


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
            log.error("Delivery %d: %s\n%s", job.delivery_id, type(error).__name__, trace)
            self._later(job, type(error).__name__, None)
        else:
            self._paused.pop(job.channel.name, None)
        return True

    def _claim(self) -> Job | None:
        now, open_now = clock.now(), self._open()
        with read_scope(self._database) as session:  # looking takes no write lock
            if not repository.something_due(session, now, open_now):
                return None
        lease_until = now + rules.LEASE
        with session_scope(self._database) as session:
            claimed = repository.claim(session, now, lease_until, open_now)
            if claimed is None:
                return None
            delivery, in_doubt = claimed
            delivery.repeats += in_doubt and delivery.asked
            text, content, language = repository.message(session, delivery)
            point = repository.contact_of(session, delivery.conversation_id)
            assert point is not None
            channel = self._channels[delivery.channel]
            key = f"{delivery.conversation_id}:{delivery.sequence}"
            subject = (
                repository.subject(session, channel.name, point.thread) if channel.has_subjects else None
            )
            return Job(
                delivery_id=delivery.id,
                conversation_id=delivery.conversation_id,
                channel=channel,
                target=Target(
                    point.address, key, language, point.thread, content.get("details", {}), subject
                ),
                parts=rules.parts(text, content, delivery.sequence, channel.limits),
                done=delivery.parts_sent,
                asked=delivery.asked,
                attempts=delivery.attempts,
                created_at=delivery.created_at,
                last_inbound_at=point.last_inbound_at,
                unreachable=point.unreachable_since is not None,
                lease_until=lease_until,
                in_doubt=in_doubt,
            )

    def _send(self, job: Job) -> None:
        if job.in_doubt and not job.asked:
            raise InDoubtError
        if job.unreachable:
            raise RefusedError("cannot be reached")
        provider_id = None
        for number, part in enumerate(job.parts[job.done :], job.done + 1):
            if not rules.may_write(job.last_inbound_at, clock.now(), job.channel.limits, part):
                raise RefusedError("they have not written for too long: only a template may be sent")
            target = replace(job.target, key=f"{job.target.key}:{number}")
            try:
                provider_id = job.channel.send(target, part)
            except RefusedError as error:
                # Nobody goes without their answer because a picture of it could not be fetched.
                if error.gone or part.image is None or number == len(job.parts):
                    raise
                log.warning(
                    "A picture of delivery %d on %s was left out: %s",
                    job.delivery_id,
                    job.channel.name,
                    error,
                )
            if number < len(job.parts):
                lease_until = clock.now() + rules.LEASE
                self._note(job, parts_sent=number, provider_id=provider_id, lease_until=lease_until)
                job.lease_until = lease_until
        self._note(
            job,
            status="sent",
            parts_sent=len(job.parts),
            provider_id=provider_id,
            sent_at=clock.now(),
            lease_until=None,
            last_error=None,
        )

    def _refused(self, job: Job, reason: str, gone: bool) -> None:
        log.info("Delivery %d on %s was refused: %s", job.delivery_id, job.channel.name, reason)
        with session_scope(self._database) as session:
            values = {"status": "failed", "last_error": reason[:300], "lease_until": None}
            repository.note(session, job.delivery_id, job.lease_until, **values)
            if gone:
                outbound.give_up(session, job.conversation_id, reason)

    def _doubtful(self, job: Job) -> None:
        """The provider never answered. An answer is sent again; anything else is not."""
        if job.asked:
            self._later(job, "no answer from the provider", None)
        else:
            self._note(job, status="unknown", lease_until=None, last_error="no answer from the provider")

    def _later(self, job: Job, reason: str, after: float | None) -> None:
        at = rules.next_attempt(job.attempts, clock.now(), job.created_at, after, job.asked)
        if at is None:
            self._note(job, status="failed", lease_until=None, last_error=reason[:300])
        else:
            self._note(job, status="queued", lease_until=None, last_error=reason[:300], next_attempt_at=at)

    def _note(self, job: Job, **values: Any) -> None:
        with session_scope(self._database) as session:
            repository.note(session, job.delivery_id, job.lease_until, **values)

    def _pause(self, channel: str, after: float | None) -> None:
        """Leave a channel alone for a while, and for as long as it asks for; the others go on."""
        last = self._paused.get(channel, (0.0, FIRST_PAUSE / 2))[1]
        pause = max(min(2 * last, LONGEST_PAUSE), after or 0.0)
        self._paused[channel] = (time.monotonic() + pause, pause)
        log.warning("%s takes no messages; trying again in %.0f s.", channel, pause)

    def _open(self) -> list[str]:
        """The channels that are switched on and not paused."""
        now = time.monotonic()
        return [name for name in self._channels if self._paused.get(name, (0.0, 0.0))[0] <= now]
