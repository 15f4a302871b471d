"""What was changed in the console, version by version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


class ShopEdit(Base):
    """Append-only: a section of the shop's facts, offers or answers as somebody saved it.

    The newest version of a section counts; one without `value` means that the file counts again.
    """

    __tablename__ = "shop_edit"
    __table_args__ = (UniqueConstraint("section", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    section: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    value: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    note: Mapped[str] = mapped_column(String(200), default="")
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
