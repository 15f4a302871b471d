"""Canned replies: their list, their form with a preview, their order, and the archive."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.console import settings_words as words
from rapport.console.desk import Desk
from rapport.console.i18n import mark
from rapport.console.settings_frame import SettingsDesk, form_page, history_page, version_number
from rapport.edits import service as edits
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, RapportError
from rapport.kit.languages import LANGUAGES
from rapport.replies import rules, service
from rapport.replies.models import CannedReply
from rapport.shop.facts import get_facts
from rapport.shop.placeholders import PlaceholderError
from rapport.staff import repository as staff

routes = APIRouter()
PATH = "/console/settings/replies"
# Of the history, see rapport/edits/.
SECTION = "reply."
TITLE = mark("A title needs 1 to %(longest)s letters.")
SHORTCUT = mark("A shortcut is made of the letters a to z, digits and hyphens.")
TAKEN = mark("Another reply has this shortcut already.")
NO_TEXT = mark("A reply needs a text in at least one language.")
# A customer of whom everything is known, for the preview.
SOMEBODY = {"name": "Ana", "order": "FJ-10234"}


@routes.get("/settings/replies")
def overview(desk: SettingsDesk) -> Response:
    """Those that are offered, and the archive."""
    with desk.reading() as session:
        return desk.page(
            "settings_replies.html",
            replies=service.offered(session),
            archived=service.archived(session),
            missing=rules.missing,
            names=staff.names(session),
        )


@routes.get("/settings/replies/new")
def new(desk: SettingsDesk) -> Response:
    return _page(desk, None, {})


@routes.post("/settings/replies/new")
def create(desk: SettingsDesk) -> Response:
    """A new reply, or its preview."""
    fields = _fields(desk)
    if (answer := _checked(desk, None, fields)) is not None:
        return answer
    try:
        with desk.writing() as session:
            reply = service.create(session, fields["title"], fields["shortcut"], fields, desk.staff.id)
            _keep(desk, session, reply.id, 0, fields)
            desk.note(session, "add canned reply", "settings", f"reply {reply.id}")
    except service.TakenError:
        return _page(desk, None, fields, 422, problems={"shortcut": desk.gettext(TAKEN)})
    return desk.go(PATH, desk.gettext("Saved."))


@routes.get("/settings/replies/{reply_id}")
def show(desk: SettingsDesk, reply_id: int) -> Response:
    with desk.reading() as session:
        reply = service.get(session, reply_id)
        session.expunge(reply)
    return _page(desk, reply, {"title": reply.title, "shortcut": reply.shortcut, **reply.texts})


@routes.post("/settings/replies/{reply_id}")
def change(desk: SettingsDesk, reply_id: int) -> Response:
    """Saves a reply, or shows its preview."""
    with desk.reading() as session:
        reply = service.get(session, reply_id)
        session.expunge(reply)
    fields, base = _fields(desk), version_number(desk, "base")
    if (answer := _checked(desk, reply, fields, base)) is not None:
        return answer
    try:
        with desk.writing() as session:
            values = fields["title"], fields["shortcut"], fields
            service.change(session, reply_id, base, *values, desk.staff.id)
            _keep(desk, session, reply_id, edits.version_of(session, f"{SECTION}{reply_id}"), fields)
            desk.note(session, "change canned reply", "settings", f"reply {reply_id}", version=base + 1)
    except service.TakenError:
        return _page(desk, reply, fields, 422, base=base, problems={"shortcut": desk.gettext(TAKEN)})
    except ConflictError:
        return _page(desk, reply, fields, 409, base=base, conflict=True)
    return desk.go(PATH, desk.gettext("Saved."))


@routes.get("/settings/replies/{reply_id}/history")
def history(desk: SettingsDesk, reply_id: int) -> Response:
    """Who changed what, when."""
    with desk.reading() as session:
        title, section = service.get(session, reply_id).title, f"{SECTION}{reply_id}"
        return history_page(desk, session, section, title, f"{PATH}/{reply_id}", {}, has_file=False)


@routes.post("/settings/replies/{reply_id}/restore")
def restore(desk: SettingsDesk, reply_id: int) -> Response:
    """An earlier version once more, as a new one."""
    section, number = f"{SECTION}{reply_id}", version_number(desk, "version")
    try:
        with desk.writing() as session:
            reply = service.get(session, reply_id)
            fields = edits.version(session, section, number).value
            _keep(desk, session, reply_id, version_number(desk, "base"), fields)
            values = fields["title"], fields["shortcut"], fields
            service.change(session, reply_id, reply.version, *values, desk.staff.id)
            desk.note(session, "restore canned reply", "settings", f"reply {reply_id}", version=number)
    except service.TakenError:
        raise ConflictError(desk.gettext(TAKEN)) from None
    except ConflictError:
        raise ConflictError(desk.gettext(words.CHANGED)) from None
    said = desk.gettext("%(title)s: version %(number)s counts again.", title=fields["title"], number=number)
    return desk.go(f"{PATH}/{reply_id}", said)


@routes.post("/settings/replies/{reply_id}/archive")
def archive(desk: SettingsDesk, reply_id: int) -> Response:
    """Offered no more, or again."""
    base, back = version_number(desk, "base"), desk.field("back") == "yes"
    try:
        with desk.writing() as session:
            do = service.bring_back if back else service.archive
            do(session, reply_id, base, desk.staff.id)
            what = "bring back canned reply" if back else "archive canned reply"
            desk.note(session, what, "settings", f"reply {reply_id}")
    except ConflictError:
        raise ConflictError(desk.gettext(words.CHANGED)) from None
    return desk.go(PATH, desk.gettext("It is offered again.") if back else desk.gettext("Archived."))


@routes.post("/settings/replies/{reply_id}/up")
def move_up(desk: SettingsDesk, reply_id: int) -> Response:
    with desk.writing() as session:
        service.move_up(session, reply_id)
        desk.note(session, "move canned reply", "settings", f"reply {reply_id}")
    return desk.go(PATH)


def _keep(desk: Desk, session: Session, reply_id: int, base: int, fields: dict[str, str]) -> None:
    """Puts a version into the history. Raises ConflictError."""
    edits.save(session, f"{SECTION}{reply_id}", base, {k: v for k, v in fields.items() if v}, desk.staff.id)


def _fields(desk: Desk) -> dict[str, str]:
    return {
        "title": desk.field("title", 400),
        "shortcut": desk.field("shortcut", 100),
        **{code: desk.field(code, 4000) for code in LANGUAGES},
    }


def _checked(desk: Desk, reply: CannedReply | None, fields: dict[str, str], base: int = 0) -> Response | None:
    """The form again when it has mistakes or a preview was wanted."""
    problems: dict[str, str] = {}
    for name, check, said in (
        ("title", rules.checked_title, desk.gettext(TITLE, longest=rules.LONGEST_TITLE)),
        ("shortcut", rules.checked_shortcut, desk.gettext(SHORTCUT)),
    ):
        try:
            check(fields[name])
        except InvalidInputError:
            problems[name] = said
    for code in LANGUAGES:
        try:
            rules.checked_text(fields[code])
        except PlaceholderError as error:
            problems[code] = words.placeholder(desk, error)
        except RapportError:
            problems[code] = desk.gettext("At most %(longest)s characters.", longest=rules.LONGEST_TEXT)
    if not any(fields[code] for code in LANGUAGES):
        problems[""] = desk.gettext(NO_TEXT)
    if problems:
        return _page(desk, reply, fields, 422, base=base, problems=problems)
    if desk.field("do") == "save":
        return None
    return _page(desk, reply, fields, base=base, spoken=_spoken(desk, fields))


def _spoken(desk: Desk, fields: dict[str, str]) -> dict[str, str]:
    facts = get_facts()
    known = {
        **SOMEBODY,
        "agent": desk.staff.name,
        "shop": facts.name,
        "url": facts.url,
        "email": facts.contact.email,
        "phone": facts.contact.phone,
    }
    return {
        code: rules.fill(fields[code], {**known, "hours": facts.opening_hours(code, clock.now())})
        for code in LANGUAGES
        if fields[code]
    }


def _page(
    desk: Desk,
    reply: CannedReply | None,
    fields: dict[str, str],
    status: int = 200,
    base: int | None = None,
    **more: Any,
) -> Response:
    section = f"{SECTION}{reply.id}" if reply else ""
    version = base if base is not None else reply.version if reply else 0
    values = {"reply": reply, "placeholders": rules.PLACEHOLDERS, **more}
    with desk.reading() as session:
        return form_page(desk, session, "settings_reply.html", section, fields, version, status, **values)
