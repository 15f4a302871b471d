"""The list of conversations: filters, search, the views staff keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from rapport.console.desk import Desk, allowed
from rapport.console.i18n import mark
from rapport.console.intents import meaning
from rapport.customers.rules import CHANNELS
from rapport.kit.errors import InvalidInputError
from rapport.kit.languages import LANGUAGES, NAMES
from rapport.privacy.personal import masked_name
from rapport.review import filters as addresses
from rapport.review import intents, repository, service, views
from rapport.review.filters import MINE, NOBODY, RATINGS, STATUSES, SURE, Filters
from rapport.review.models import SavedView
from rapport.review.service import Listed, Page, Reader
from rapport.staff import repository as staff
from rapport.staff.rules import May
from rapport.value.segments import get_segments

PATH = "/console/conversations"
MOST_TAGS = 200
CHANNEL_NAMES = {
    "web": mark("Website"),
    "telegram": "Telegram",
    "whatsapp": "WhatsApp",
    "messenger": "Messenger",
    "sms": "SMS",
    "email": mark("E-mail"),
}
STATUS_NAMES = {
    "bot": mark("With the bot"),
    "waiting": mark("Waiting for a person"),
    "human": mark("With a person"),
}
STATUS_BADGES = {"bot": "", "waiting": "warn", "human": "good"}
RATING_NAMES = {"low": mark("1 or 2"), "middle": mark("3"), "high": mark("4 or 5")}
AUTHOR_NAMES = {
    "customer": mark("Customer"),
    "bot": mark("Bot"),
    "staff": mark("Staff"),
    "system": mark("System"),
}
# The tabs before those that staff keep: name, query.
TABS = (
    (mark("All"), ""),
    (mark("Waiting"), "status=waiting"),
    (mark("With a person"), "status=human"),
    (mark("Mine"), f"assignee={MINE}"),
    (mark("Not understood"), "missed=1"),
    (mark("Open complaints"), "complaint=1"),
)
LATELY = (1, 7, 30, 90)
# After "g" on the keyboard.
KEYS = {
    "/console/waiting": "w",
    PATH: "c",
    "/console/customers": "u",
    "/console/cases": "a",
    "/console/teaching": "t",
    "/console/insight": "i",
    "/console/settings": "s",
}

routes = APIRouter()
May_read = Annotated[Desk, Depends(allowed(May.READ))]


@dataclass(frozen=True)
class Tab:
    """A line of the tabs; `view` is what staff keep."""

    label: str
    query: str
    current: bool
    view: SavedView | None = None

    @property
    def path(self) -> str:
        """Where it leads: `view=` keeps the list from opening with somebody's first view."""
        key = f"view={self.view.id}" if self.view else "view=0"
        return f"{PATH}?{self.query}&{key}" if self.query else f"{PATH}?{key}"


@dataclass(frozen=True)
class Chip:
    """A filter in use, and the address without it."""

    label: str
    value: str
    path: str


@routes.get("/conversations")
def list_conversations(desk: May_read) -> Response:
    query = dict(desk.request.query_params)
    if not query:
        with desk.reading() as session:
            first = repository.first_view(session, desk.staff.id)
            view = session.get(SavedView, first.view_id) if first else None
            if view is not None and view.query:
                return desk.go(f"{PATH}?{view.query}&view={view.id}")
    return _list(desk, query)


@routes.get("/conversations/count")
def count(desk: May_read) -> Response:
    """How many conversations a tab has; the page asks for it when it is shown. A search is not counted."""
    filters = addresses.parse(desk.request.query_params)
    if filters.q:
        return JSONResponse({"count": None, "more": False})
    with desk.reading() as session:
        number = service.count(session, filters, _reader(desk))
    more = number > service.MOST_COUNTED
    return JSONResponse({"count": min(number, service.MOST_COUNTED), "more": more})


@routes.post("/views")
def save(desk: May_read) -> Response:
    filters = addresses.parse(_query_of(desk.field("query", 2000)))
    try:
        with desk.writing() as session:
            view = views.save(
                session,
                desk.staff.id,
                desk.field("name", views.LONGEST_NAME + 1),
                filters,
                bool(desk.field("shared")),
                desk.may(May.SETTINGS),
            )
            desk.note(session, "save view", "view", view.id, shared=view.shared)
    except InvalidInputError as error:
        typed = {"name": desk.field("name", 1000), "shared": desk.field("shared")}
        return _list(desk, filters.used(), desk.gettext(str(error)), typed)
    return desk.go(f"{PATH}?{view.query}&view={view.id}", desk.gettext("The view is saved."))


@routes.post("/views/{view_id}")
def change(desk: May_read, view_id: int) -> Response:
    """Another name, for all or not; other filters with `query`; as the first thing to see with `first`."""
    may_share = desk.may(May.SETTINGS)
    with desk.writing() as session:
        if desk.field("what") in {"first", "not first"}:
            view = views.get(session, view_id, desk.staff.id)
            first = desk.field("what") == "first"
            views.open_with(session, desk.staff.id, view if first else None)
            said = (
                desk.gettext("The list opens with this view.")
                if first
                else desk.gettext("The list opens with everything.")
            )
        elif desk.field("what") == "delete":
            view = views.changeable(session, view_id, desk.staff.id, may_share)
            views.remove(session, view)
            desk.note(session, "delete view", "view", view_id)
            return desk.go(f"{PATH}?view=0", desk.gettext("The view is deleted."))
        else:
            view = views.changeable(session, view_id, desk.staff.id, may_share)
            wanted = addresses.parse(_query_of(desk.field("query", 2000)))
            try:
                views.change(
                    session,
                    view,
                    desk.field("name", views.LONGEST_NAME + 1),
                    bool(desk.field("shared")),
                    wanted if wanted.used() else None,
                    may_share,
                )
            except InvalidInputError as error:
                session.rollback()
                query = {**wanted.used(), "view": str(view_id)}
                return _list(desk, query, desk.gettext(str(error)))
            desk.note(session, "change view", "view", view_id)
            said = desk.gettext("The view is saved.")
    return desk.go(f"{PATH}?{view.query}&view={view.id}", said)


def _list(
    desk: Desk, query: dict[str, str], problem: str | None = None, typed: dict[str, str] | None = None
) -> Response:
    filters = addresses.parse(query)
    reader = _reader(desk)
    with desk.reading() as session:
        page = _page(session, filters, reader, query)
        kept = repository.views(session, desk.staff.id)
        view = next((one for one in kept if str(one.id) == query.get("view")), None)
        first = repository.first_view(session, desk.staff.id)
        names = staff.names(session)
        values = {
            "filters": filters,
            "used": filters.used(),
            "query": urlencode(filters.used()),
            "page": page,
            "rows": [*page.direct, *page.rows],
            "tabs": _tabs(desk, filters, list(kept), view),
            "chips": _chips(desk, filters, view, names),
            "view": view,
            "is_first": bool(view and first and first.view_id == view.id),
            "changed": bool(view and view.query != views.query_of(filters)),
            "may_change": bool(view and (view.staff_id == desk.staff.id or desk.may(May.SETTINGS))),
            "names": names,
            "choices": _choices(desk, session, names),
            "nothing_yet": not page.rows and not page.direct and not repository.any_conversation(session),
            "typed": {"name": "", "shared": "", **(typed or {})},
            "searched_on": bool(filters.q and query.get("before")),
            "demo": desk.parts.settings.demo,
            "keys": KEYS,
            "problem": problem,
            "sure": SURE,
            "who": lambda row: _who(desk, row),
            "statuses": STATUS_NAMES,
            "badges": STATUS_BADGES,
            "authors": AUTHOR_NAMES,
            "channels": CHANNEL_NAMES,
            "path_of": lambda **more: _path(filters, view, **more),
        }
        session.expunge_all()
    with desk.writing() as session:
        # What was looked for may name somebody; that it was looked for is enough.
        action = "search conversations" if filters.q else "list conversations"
        desk.note(session, action, "conversation", None, filters=sorted(filters.used()))
    return desk.page("conversations.html", 422 if problem else 200, **values)


def _page(session: Session, filters: Filters, reader: Reader, query: dict[str, str]) -> Page:
    if not filters.q:
        return service.page(session, filters, reader, addresses.place(query))
    before = query.get("before", "")
    usable = before.isascii() and before.isdigit() and len(before) < 16
    return service.search(session, filters, reader, int(before) if usable else None)


def _reader(desk: Desk) -> Reader:
    return Reader(desk.staff.id, desk.sees_person(), desk.sees_person(mine=True))


def _query_of(text: str) -> dict[str, str]:
    return dict(parse_qsl(text[:2000], max_num_fields=60))


def _path(filters: Filters, view: SavedView | None, **more: str) -> str:
    query = {**filters.used(), "view": str(view.id if view else 0), **more}
    return f"{PATH}?{urlencode(query)}"


def _who(desk: Desk, row: Listed) -> str:
    """The person as the reader may see them."""
    if row.customer_id is None:
        return desk.gettext("Visitor")
    sees = desk.sees_person(row.mine)
    if row.name:
        return row.name if sees else masked_name(row.name)
    if row.email and sees:
        return row.email
    return desk.gettext("Customer %(number)s", number=row.customer_id)


def _tabs(desk: Desk, filters: Filters, kept: list[SavedView], view: SavedView | None) -> list[Tab]:
    used = urlencode(filters.used())
    found = [Tab(desk.gettext(label), query, view is None and query == used) for label, query in TABS]
    return found + [Tab(one.name, one.query, one is view, one) for one in kept]


def _chips(desk: Desk, filters: Filters, view: SavedView | None, names: dict[int, str]) -> list[Chip]:
    labels = {
        "q": desk.gettext("Search"),
        "channel": desk.gettext("Channel"),
        "language": desk.gettext("Language"),
        "status": desk.gettext("State"),
        "intent": desk.gettext("About"),
        "below": desk.gettext("Less sure than"),
        "missed": desk.gettext("Not understood"),
        "complaint": desk.gettext("Open complaint"),
        "rating": desk.gettext("Rating"),
        "segment": desk.gettext("Segment"),
        "tag": desk.gettext("Tag"),
        "assignee": desk.gettext("Looked after by"),
        "customer": desk.gettext("Customer"),
        "days": desk.gettext("Last days"),
        "since": desk.gettext("From"),
        "until": desk.gettext("To"),
    }
    return [
        Chip(labels[name], _told(desk, name, value, names), _path(filters.without(name), view))
        for name, value in filters.used().items()
    ]


def _told(desk: Desk, name: str, value: str, names: dict[int, str]) -> str:
    """A filter's value in words; "" where its name says all."""
    if name in {"missed", "complaint"}:
        return ""
    if name == "assignee":
        if value in {MINE, NOBODY}:
            return desk.gettext("me") if value == MINE else desk.gettext("nobody")
        return names.get(int(value), value)
    if name == "segment":
        return _segment(value, desk.staff.language)
    if name == "intent":
        return _meaning(desk, value)
    if name == "language":
        return NAMES[value]
    if name == "below":
        return f"{float(value):.0%}"
    known = {"channel": CHANNEL_NAMES, "status": STATUS_NAMES, "rating": RATING_NAMES}.get(name, {})
    return desk.gettext(known[value]) if value in known else value


def _meaning(desk: Desk, intent: str) -> str:
    return desk.gettext(meaning(intent))


def _segment(key: str, language: str) -> str:
    segments = get_segments()
    return segments.name(key, language) if key in segments.keys else key


def _choices(desk: Desk, session: Session, names: dict[int, str]) -> dict[str, list[tuple[str, str]]]:
    """What each select offers: (value, words)."""
    language = desk.staff.language
    people = [(str(key), name) for key, name in sorted(names.items(), key=lambda pair: pair[1].casefold())]
    return {
        "channel": [(key, desk.gettext(CHANNEL_NAMES[key])) for key in CHANNELS],
        "language": [(key, NAMES[key]) for key in LANGUAGES],
        "status": [(key, desk.gettext(STATUS_NAMES[key])) for key in STATUSES],
        "intent": sorted(((key, _meaning(desk, key)) for key in intents.names()), key=lambda one: one[1]),
        "rating": [(key, desk.gettext(RATING_NAMES[key])) for key in RATINGS],
        "segment": [(one.key, one.name.of(language)) for one in get_segments().all],
        "tag": [(tag, tag) for tag in repository.all_tags(session, MOST_TAGS)],
        "assignee": [
            (MINE, desk.gettext("me")),
            (NOBODY, desk.gettext("nobody")),
            *people,
        ],
        "days": [(str(days), desk.ngettext("%(num)s day", "%(num)s days", days)) for days in LATELY],
    }
