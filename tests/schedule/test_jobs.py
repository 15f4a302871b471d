"""The jobs there are, with the real work behind them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport import demo
from rapport.api.models import ApiKey, StoredAnswer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.points import tasks as points
from rapport.schedule import jobs, repository, service
from rapport.schedule.service import Job

TODAY = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_names_are_told_apart_and_fit() -> None:
    names = [job.name for job in jobs.JOBS]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 40 for name in names)


@pytest.mark.parametrize("job", jobs.JOBS, ids=lambda job: job.name)
def test_each_job_runs_on_an_empty_shop(engine: Engine, job: Job) -> None:
    assert service.run_now(engine, job)


def test_all_jobs_run_over_the_demo_shop_and_leave_the_books_right(engine: Engine) -> None:
    with clock.freeze(TODAY), session_scope(engine) as session:
        demo.load(session, TODAY.date())
    for days in (0, 1, 60):
        with clock.freeze(TODAY + timedelta(days=days)):
            assert service.run_due(engine, jobs.JOBS) == [job.name for job in jobs.JOBS]
            with read_scope(engine) as session:
                assert [run.name for run in repository.runs(session) if "failed" in (run.outcome or "")] == []
                assert points.check(session) == []


def test_stored_answers_are_forgotten(engine: Engine) -> None:
    with session_scope(engine) as session:
        key = ApiKey(name="till", source="till", prefix="rk_aaaaaaaa", key_hash="0" * 64, scopes=["read"])
        session.add(key)
        session.flush()
        for name, days in (("old", 8), ("new", 6)):
            at = TODAY - timedelta(days=days)
            session.add(StoredAnswer(api_key_id=key.id, key=name, fingerprint="0" * 64, created_at=at))
    with clock.freeze(TODAY):
        service.run_due(engine, jobs.JOBS)
    with read_scope(engine) as session:
        assert session.scalars(select(StoredAnswer.key)).all() == ["new"]


def test_what_has_more_to_do_goes_on_after_a_commit(engine: Engine) -> None:
    left = [3, 2, 1]
    seen = []

    def run(session: Session, now: datetime) -> Counter[str]:
        seen.append(session)
        done = Counter(things=left.pop(0))
        if left:
            done["more"] = 1
        return done

    assert jobs._batches(run)(engine) == "6 things"
    assert len(set(map(id, seen))) == 3


def test_nothing_to_do_is_said(engine: Engine) -> None:
    assert jobs._batches(lambda _session, _now: Counter())(engine) == "nothing was due"
