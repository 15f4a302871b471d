"""Views: filters that staff keep under a name, for themselves or for all."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from sqlalchemy import delete
from sqlalchemy.orm import Session

from rapport.kit.errors import ForbiddenError, InvalidInputError, NotFoundError
from rapport.kit.upsert import insert
from rapport.review import filters as addresses
from rapport.review import repository
from rapport.review.filters import Filters
from rapport.review.models import FirstView, SavedView

LONGEST_NAME = 60
LONGEST_QUERY = 1000
MOST_VIEWS = 30


def named(name: str) -> str:
    """The name of a view, trimmed; raises InvalidInputError."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInputError("A name needs 1 to 60 letters.")
    return name


def query_of(filters: Filters) -> str:
    """The filters as a view keeps them."""
    return urlencode(filters.used())


def filters_of(view: SavedView) -> Filters:
    """What a view narrows the list to."""
    return addresses.parse(dict(parse_qsl(view.query)))


def save(
    session: Session, staff_id: int, name: str, filters: Filters, shared: bool, may_share: bool
) -> SavedView:
    """Keeps filters under a name. Raises InvalidInputError, and ForbiddenError for a view for all by
    somebody who may not (`may_share`).
    """
    query = query_of(filters)
    if not query or len(query) > LONGEST_QUERY:
        raise InvalidInputError("Choose some filters first.")
    if shared and not may_share:
        raise ForbiddenError("Your role does not allow that.")
    mine = [view for view in repository.views(session, staff_id) if view.staff_id == staff_id]
    if len(mine) >= MOST_VIEWS:
        raise InvalidInputError("You have 30 views already. Delete one first.")
    view = SavedView(name=named(name), query=query, staff_id=staff_id, shared=shared)
    session.add(view)
    session.flush()
    return view


def get(session: Session, view_id: int, staff_id: int) -> SavedView:
    """A view that somebody sees; raises NotFoundError."""
    view = session.get(SavedView, view_id)
    if view is None or not (view.shared or view.staff_id == staff_id):
        raise NotFoundError("There is no such view.")
    return view


def changeable(session: Session, view_id: int, staff_id: int, may_share: bool) -> SavedView:
    """A view that somebody may change: their own, and those for all if they may share. Raises NotFoundError
    and ForbiddenError.
    """
    view = get(session, view_id, staff_id)
    if view.staff_id != staff_id and not may_share:
        raise ForbiddenError("Your role does not allow that.")
    return view


def change(
    session: Session, view: SavedView, name: str, shared: bool, filters: Filters | None, may_share: bool
) -> None:
    """Another name, for all or not any more, or other filters. Raises InvalidInputError, ForbiddenError."""
    if shared and not view.shared and not may_share:
        raise ForbiddenError("Your role does not allow that.")
    view.name, view.shared = named(name), shared
    if filters is not None:
        view.query = query_of(filters)[:LONGEST_QUERY]
    session.flush()


def remove(session: Session, view: SavedView) -> None:
    """Nobody's list opens with it any more either."""
    session.execute(delete(FirstView).where(FirstView.view_id == view.id))
    session.delete(view)
    session.flush()


def open_with(session: Session, staff_id: int, view: SavedView | None) -> None:
    """The list opens with this view for somebody from now on; with None as it does for everybody."""
    if view is None:
        session.execute(delete(FirstView).where(FirstView.staff_id == staff_id))
        return
    session.execute(
        insert(session, FirstView)
        .values(staff_id=staff_id, view_id=view.id)
        .on_conflict_do_update(index_elements=["staff_id"], set_={"view_id": view.id})
    )
