"""Views of the list of conversations that staff keep."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

import rapport.staff.models  # noqa: F401 - the table that `staff_id` points to must be known
from rapport.kit import clock
from rapport.kit.database import Base


class SavedView(Base):
    """Filters under a name, as the query of a page's address; `shared`: for all staff."""

    __tablename__ = "saved_view"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(1000))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class FirstView(Base):
    """The view with which the list opens for somebody."""

    __tablename__ = "first_view"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    view_id: Mapped[int] = mapped_column(ForeignKey("saved_view.id", ondelete="CASCADE"), index=True)
