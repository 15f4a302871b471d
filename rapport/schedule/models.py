"""When each job last ran, so that one due while nothing was running is caught up with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit.database import Base


class JobRun(Base):
    """The last run of a job. Until `lease_until` nobody else starts it: it runs, or waits after a failure."""

    __tablename__ = "job_run"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(200))
