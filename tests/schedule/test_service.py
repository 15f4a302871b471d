"""Jobs run when due, once, and again after a failure."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from rapport.kit import clock
from rapport.kit.database import read_scope
from rapport.schedule import repository, service
from rapport.schedule.rules import RETRY_AFTER, Every
from rapport.schedule.service import Job
from tests.loyalty.threads import at_once

SECRET = "kari@example.com"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Work:
    """Counts how often it was done; fails as long as it is told to."""

    def __init__(self) -> None:
        self.times = 0
        self.broken = False
        self._lock = threading.Lock()

    def __call__(self, engine: Engine) -> str:
        with self._lock:
            self.times += 1
        if self.broken:
            raise ValueError(f"{SECRET} is in the way")
        return "3 things"


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def job(work: Work) -> Job:
    return Job("sweep", "sweeps", Every(timedelta(minutes=15)), work)


def test_a_job_runs_when_it_is_due(engine: Engine, job: Job, work: Work) -> None:
    for minutes, times in ((0, 1), (14, 1), (15, 2), (16, 2), (120, 3)):
        with clock.freeze(NOON + timedelta(minutes=minutes)):
            service.run_due(engine, [job])
        assert work.times == times
    with read_scope(engine) as session:
        (run,) = repository.runs(session)
        assert (run.outcome, run.lease_until) == ("3 things", None)


def test_whoever_looks_it_runs_once(engine: Engine, job: Job, work: Work) -> None:
    with clock.freeze(NOON):
        at_once(8, lambda: service.run_due(engine, [job]))
    assert work.times == 1


def test_what_failed_is_tried_again_and_stops_nobody(
    engine: Engine, job: Job, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    other = Work()
    jobs = [job, Job("other", "does", Every(timedelta(hours=1)), other)]
    work.broken = True
    with caplog.at_level(logging.INFO):
        for later in (timedelta(), timedelta(minutes=5), RETRY_AFTER):
            with clock.freeze(NOON + later):
                service.run_due(engine, jobs)
    assert (work.times, other.times) == (2, 1)
    assert "Job sweep failed: ValueError" in caplog.text
    assert SECRET not in caplog.text
    work.broken = False
    with clock.freeze(NOON + 2 * RETRY_AFTER):
        service.run_due(engine, jobs)
    with read_scope(engine) as session:
        assert [run.outcome for run in repository.runs(session)] == ["3 things", "3 things"]


def test_by_hand_it_runs_at_once_and_counts(engine: Engine, job: Job, work: Work) -> None:
    with clock.freeze(NOON):
        assert service.run_now(engine, job) == "3 things"
        service.run_due(engine, [job])
    assert work.times == 1
