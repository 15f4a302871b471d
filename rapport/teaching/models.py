"""What staff say about messages and answers, and the trainings made from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base

_RUNNING = text("state = 'running'")


class Annotation(Base):
    """What a member of staff says about one message; `kind` is a key of `rules.KINDS`.

    intent: `value` is what the customer meant, `words` the example to learn from, without personal data.
    entity: `value` is `category=tents`, `words` what the customer called it.
    answer: `value` is good or bad, `words` the reason. ignore: nothing is to be learned from the message.
    `status`: proposed → accepted or rejected → applied (a model that learned it is live); noted for what is
    not learned from. `run_id` is the training that took it.
    """

    __tablename__ = "annotation"
    __table_args__ = (Index("ix_annotation_status", "status", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), index=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(String(120))
    words: Mapped[str] = mapped_column(Text, default="")
    language: Mapped[str] = mapped_column(String(2))
    status: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("training_run.id"), index=True)


class TrainingRun(Base):
    """One training from accepted corrections.

    `state`: running → live (it was not worse), worse, failed or cancelled. `phase` is a key of
    `rules.PHASES`, `seconds` how long each took, `seen_at` the sign
    of life of who runs it. `changes` are the examples it added, so that
    they can be taken out again; `before` and `after` what `rules.figures` makes of an evaluation; `reasons`
    why it is worse.
    """

    __tablename__ = "training_run"
    __table_args__ = (
        # One at a time, whichever process it runs in.
        Index(
            "ix_training_run_running",
            "state",
            unique=True,
            sqlite_where=_RUNNING,
            postgresql_where=_RUNNING,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    state: Mapped[str] = mapped_column(String(10), default="running")
    phase: Mapped[str] = mapped_column(String(10), default="prepare")
    told: Mapped[str] = mapped_column(String(200), default="")
    seconds: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)
    cancel_asked: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]
    base_model: Mapped[str | None] = mapped_column(String(80))
    model: Mapped[str | None] = mapped_column(String(80))
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    diff: Mapped[str] = mapped_column(Text, default="")
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    output: Mapped[str] = mapped_column(Text, default="")
    rolled_back_at: Mapped[datetime | None]
    rolled_back_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
