"""The shop's people who work in the console, and what they looked at and changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


class Staff(Base):
    """One member of staff; `role` is a key of `rules.ROLES`.

    Without `password_hash` (argon2id) they log in through OpenID Connect only, by `oidc_subject`.
    """

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(10))
    language: Mapped[str] = mapped_column(String(2))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    oidc_subject: Mapped[str | None] = mapped_column(String(400), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_login_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    # Links to choose a password carry it; it goes up when all that are out must be worth nothing.
    link_serial: Mapped[int] = mapped_column(default=0)


class StaffSession(Base):
    """A browser that is logged in. Only a keyed hash of its cookie is kept."""

    __tablename__ = "staff_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)


class AuditEvent(Base):
    """Append-only: who looked at or changed what, when. `details` hold no text of customers."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_subject", "subject", "subject_id", "id"),
        Index("ix_audit_event_staff", "staff_id", "id"),
        # For the page that shows the newest of one kind first, also where that kind is rare.
        Index("ix_audit_event_action", "action", "id"),
        Index("ix_audit_event_kind", "subject", "id"),
        Index("ix_audit_event_staff_action", "staff_id", "action", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str | None] = mapped_column(String(30))
    subject_id: Mapped[str | None] = mapped_column(String(80))
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
