"""What a shop owner edits: the shop's facts, each section with a preview, its history and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from rapport.console import settings_preview as preview
from rapport.console import settings_words as words
from rapport.console.desk import Desk, allowed
from rapport.console.settings_forms import FORMS, Fields, Form, Reader, moved, spans, stored
from rapport.edits import effective, repository, rules, service
from rapport.kit import clock
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.loyalty.offers.rulebook import SECTION as OFFER
from rapport.replies import service as replies
from rapport.shop.facts import SECTIONS, Effective, ShopFacts, get_facts, with_section
from rapport.shop.hours import WEEKDAYS, is_open, opens_next
from rapport.shop.knowledge import SECTION as ANSWER
from rapport.staff import repository as staff
from rapport.staff.rules import May

routes = APIRouter()
SettingsDesk = Annotated[Desk, Depends(allowed(May.SETTINGS))]
PATH = "/console/settings"
LONGEST_NOTE = 200


@dataclass(frozen=True)
class Typed:
    """A form that was sent, as far as it could be read."""

    value: Any
    facts: ShopFacts | None  # with it, if it makes sense
    problems: dict[str, str]


@routes.get("/settings")
def overview(desk: SettingsDesk) -> Response:
    """Every section, and whether it is edited."""
    with desk.reading() as session:
        newest = {edit.section: edit for edit in repository.newest_of_all(session)}
        broken = effective.broken(session)[1]
        values: dict[str, Any] = {
            "forms": FORMS.values(),
            "newest": newest,
            "broken": broken,
            "names": staff.names(session),
            "edited_offers": _count(newest, OFFER),
            "edited_answers": _count(newest, ANSWER),
            "offers": len(effective.offers(session)[0].offers),
            "replies": len(replies.offered(session)),
        }
        return desk.page("settings.html", **values)


def _count(newest: dict[str, Any], prefix: str) -> int:
    return sum(section.startswith(prefix) and edit.value is not None for section, edit in newest.items())


@routes.get("/settings/{section}")
def show(desk: SettingsDesk, section: str) -> Response:
    """A section's form."""
    form = _form(section)
    with desk.reading() as session:
        made = effective.facts(session)
        value = stored(made.facts, SECTIONS[section])
        fields = form.show(value, made.facts.currency, desk.staff.language)
        return _page(desk, session, form, fields, service.version_of(session, section))


@routes.post("/settings/{section}")
def change(desk: SettingsDesk, section: str) -> Response:
    """Adds or moves a row, shows what the bot will say, or saves."""
    form, do = _form(section), desk.field("do", 20)
    fields = {name: desk.field(name, 2000) for name in desk.form if name not in {"csrf", "do"}}
    fields["rows"] = str(len(Reader(fields, desk.staff.language, "").rows()))
    base = version_number(desk, "base")
    with desk.reading() as session:
        now = effective.facts(session)
        if form.rows and (after := moved(fields, do)) is not None:
            return _page(desk, session, form, after, base)
        typed = _read(desk, form, fields, now)
        if typed.facts is None:
            return _page(desk, session, form, fields, base, 422, problems=typed.problems)
        if do != "save":
            before = stored(now.facts, SECTIONS[section])
            after_it = stored(typed.facts, SECTIONS[section])
            changes = words.lines(desk, rules.differences(before, after_it))
            said = preview.spoken(section, typed.facts)
            return _page(desk, session, form, fields, base, spoken=said, changes=changes)
    value = stored(typed.facts, SECTIONS[section])
    try:
        save(desk, section, base, value)
    except ConflictError:
        with desk.reading() as session:
            return _page(desk, session, form, fields, base, 409, conflict=True)
    return desk.go(f"{PATH}/{section}", desk.gettext("Saved. The bot says it from now on."))


@routes.get("/settings/{section}/history")
def history(desk: SettingsDesk, section: str) -> Response:
    """Who changed what, when."""
    form = _form(section)
    with desk.reading() as session:
        made = effective.facts(session)
        file = stored(made.file, SECTIONS[section])
        return history_page(desk, session, section, desk.gettext(form.title), f"{PATH}/{section}", file)


@routes.post("/settings/{section}/restore")
def restore(desk: SettingsDesk, section: str) -> Response:
    """An earlier version once more, as a new one; version 0 is the file."""
    form, number = _form(section), version_number(desk, "version")
    with desk.reading() as session:
        value = service.version(session, section, number).value if number else None
        if value is not None:
            try:
                with_section(effective.facts(session).facts, section, value)
            except ValidationError as error:
                raise ConflictError(
                    desk.gettext("That version doesn't fit any more: %(why)s", why=error.errors()[0]["msg"])
                ) from None
    return restored(desk, section, value, number, f"{PATH}/{section}/history", desk.gettext(form.title))


def save(
    desk: Desk,
    section: str,
    base: int,
    value: Any,
    note: str | None = None,
    then: Callable[[Session], object] | None = None,
) -> None:
    """Saves a version, notes it, and does what else belongs to it. Raises ConflictError."""
    note = desk.field("note", LONGEST_NOTE) if note is None else note
    with desk.writing() as session:
        edit = service.save(session, section, base, value, desk.staff.id, note)
        what = "change settings" if value is not None else "settings back to file"
        desk.note(session, what, "settings", section, version=edit.version)
        if then:
            then(session)


def restored(
    desk: Desk,
    section: str,
    value: Any,
    number: int,
    path: str,
    title: str,
    then: Callable[[Session], object] | None = None,
) -> Response:
    """Saves an earlier value as a new version. Raises ConflictError."""
    note = desk.gettext("As in version %(number)s", number=number) if number else ""
    try:
        save(desk, section, version_number(desk, "base"), value, note, then)
    except ConflictError:
        raise ConflictError(desk.gettext(words.CHANGED)) from None
    said = desk.gettext("%(title)s: version %(number)s counts again.", title=title, number=number)
    return desk.go(path, said if number else desk.gettext("%(title)s: the file counts again.", title=title))


def history_page(
    desk: Desk,
    session: Session,
    section: str,
    title: str,
    back: str,
    file: Any,
    has_file: bool = True,
) -> Response:
    """The versions of any section with what each changed; `file` is what the file says, if there is one."""
    edits = service.history(session, section)
    values = [file if edit.value is None else edit.value for edit in edits]
    # What was before the oldest that is shown is not known if there are more than that.
    before = [*values[1:], file if edits and edits[-1].version == 1 else None]
    versions = [
        (edit, words.lines(desk, rules.differences(old, value)) if old is not None else [])
        for edit, value, old in zip(edits, values, before, strict=False)
    ]
    return desk.page(
        "settings_history.html",
        section=section,
        heading=title,
        back=back,
        versions=versions,
        names=staff.names(session),
        has_file=has_file,
        base=edits[0].version if edits else 0,
    )


def version_number(desk: Desk, name: str) -> int:
    """A version a form carries; 0 when it carries none."""
    typed = desk.field(name, 9)
    return int(typed) if typed.isascii() and typed.isdigit() else 0


def _form(section: str) -> Form:
    if section not in FORMS:
        raise NotFoundError("There is no such section.")
    return FORMS[section]


def _read(desk: Desk, form: Form, fields: Fields, now: Effective) -> Typed:
    reader = Reader(fields, desk.staff.language, now.facts.currency)
    value = form.read(reader)
    problems = {name: desk.gettext(said) for name, said in reader.problems.items()}
    try:
        facts = with_section(now.facts, form.key, value)
    except ValidationError as error:
        return Typed(value, None, words.problems(desk, error.errors()) | problems)
    return Typed(value, None if problems else facts, problems)


def _page(
    desk: Desk,
    session: Session,
    form: Form,
    fields: Fields,
    base: int,
    status: int = 200,
    **more: Any,
) -> Response:
    facts, now = get_facts(), clock.now()
    values = {
        "problems": {},
        "spoken": None,
        "changes": [],
        "conflict": False,
        "broken": effective.facts(session).broken.get(form.key),
        "form": form,
        "fields": fields,
        "rows": range(int(fields.get("rows", "0"))),
        "base": base,
        "newest": repository.newest(session, form.key),
        "names": staff.names(session),
        "weekdays": [(day, words.LABELS[day]) for day in WEEKDAYS],
        "spans": spans(fields),
        "is_open": is_open(facts, now),
        "opens": opens_next(facts, now),
        **more,
    }
    return desk.page("settings_section.html", status, **values)
