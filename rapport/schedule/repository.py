"""All queries about job runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from rapport.kit.upsert import insert
from rapport.schedule.models import JobRun
from rapport.schedule.rules import LastRun


def runs(session: Session) -> Sequence[JobRun]:
    """The last run of each job that ever ran."""
    return session.scalars(select(JobRun).order_by(JobRun.name)).all()


def last_run(session: Session, name: str) -> LastRun:
    """When the job last ran."""
    run = session.get(JobRun, name)
    return LastRun(run.started_at, run.finished_at, run.lease_until) if run else LastRun()


def claim(session: Session, name: str, seen: LastRun, now: datetime, lease_until: datetime) -> bool:
    """Start the job's run, unless somebody else did since it was `seen`. Check and claim are one step."""
    session.execute(insert(session, JobRun).values(name=name).on_conflict_do_nothing(index_elements=["name"]))
    claimed = session.scalar(
        update(JobRun)
        .where(
            JobRun.name == name,
            JobRun.started_at.is_not_distinct_from(seen.started_at),
            JobRun.lease_until.is_not_distinct_from(seen.lease_until),
        )
        .values(started_at=now, lease_until=lease_until)
        .returning(JobRun.name)
        .execution_options(synchronize_session=False)
    )
    return claimed is not None


def finish(session: Session, name: str, started_at: datetime, **values: object) -> None:
    """Note what came of the run that started then; nothing if another has started since."""
    session.execute(
        update(JobRun)
        .where(JobRun.name == name, JobRun.started_at == started_at)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
