"""When a job is due. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

# A run that has not ended by then was killed; the jobs may be repeated without harm.
LEASE = timedelta(hours=2)
RETRY_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class Every:
    """Again when this much time has passed since the last start."""

    period: timedelta

    def __str__(self) -> str:
        minutes = int(self.period.total_seconds() // 60)
        return {1: "every minute", 60: "every hour"}.get(minutes, f"every {minutes} minutes")


@dataclass(frozen=True)
class Daily:
    """Once a day, at this time of the shop's clocks or as soon afterwards as something runs."""

    at: time

    def __str__(self) -> str:
        return f"daily at {self.at:%H:%M}"


Rhythm = Every | Daily


@dataclass(frozen=True)
class LastRun:
    """What is known of a job's last run; all None before the first."""

    started_at: datetime | None = None
    finished_at: datetime | None = None
    lease_until: datetime | None = None


def is_due(rhythm: Rhythm, last: LastRun, now: datetime, timezone: str) -> bool:
    """Whether the job should start now. One that failed or was killed is due as soon as its lease is over."""
    if last.lease_until is not None and now < last.lease_until:
        return False
    if last.started_at is None or last.finished_at is None or last.finished_at < last.started_at:
        return True
    match rhythm:
        case Every(period):
            return now - last.started_at >= period
        case Daily(at):
            return last.started_at < _latest(at, now, ZoneInfo(timezone))


def _latest(at: time, now: datetime, zone: ZoneInfo) -> datetime:
    """The last moment, not after `now`, when the clocks showed `at` (or skipped it)."""
    today = now.astimezone(zone).date()
    moment = datetime.combine(today, at, zone).astimezone(UTC)
    if moment <= now:
        return moment
    return datetime.combine(today - timedelta(days=1), at, zone).astimezone(UTC)
