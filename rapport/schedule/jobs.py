"""Every job there is, in the order in which they run when several are due."""

from __future__ import annotations

from rapport.schedule.service import Job

JOBS: tuple[Job, ...] = ()
