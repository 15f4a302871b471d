"""What all forms under Settings share: the page with what was typed, saving it, its history, the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.console import settings_words as words
from rapport.console.desk import Desk, allowed
from rapport.console.settings_reader import Fields
from rapport.edits import effective, repository, rules, service
from rapport.kit.errors import ConflictError
from rapport.staff import repository as staff
from rapport.staff.rules import May

SettingsDesk = Annotated[Desk, Depends(allowed(May.SETTINGS))]
LONGEST_NOTE = 200
Then = Callable[[Session], object]


def form_page(
    desk: Desk,
    session: Session,
    template: str,
    section: str,
    fields: Fields,
    base: int,
    status: int = 200,
    **more: Any,
) -> Response:
    """A section's form. `problems` are what is wrong by field; `changes` and `spoken` make a preview."""
    values: dict[str, Any] = {
        "problems": {},
        "changes": None,
        "spoken": None,
        "conflict": False,
        "broken": effective.broken(session)[1].get(section),
        "fields": fields,
        "base": base,
        "newest": repository.newest(session, section),
        "names": staff.names(session),
    }
    return desk.page(template, status, **{**values, **more})


def saved_or_again(
    desk: Desk,
    section: str,
    base: int,
    value: Any,
    path: str,
    said: str,
    again: Callable[..., Response],
    then: Then | None = None,
) -> Response:
    """Saves a version and goes on to `path`; shows the form `again` if somebody was faster."""
    try:
        save(desk, section, base, value, then=then)
    except ConflictError:
        with desk.reading() as session:
            return again(session, status=409, conflict=True)
    return desk.go(path, said)


def save(
    desk: Desk,
    section: str,
    base: int,
    value: Any,
    note: str | None = None,
    then: Then | None = None,
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
    then: Then | None = None,
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
    has_page: bool = True,
) -> Response:
    """The versions of any section with what each changed; `file` is what the file says, if there is one.
    `back` is its form, which it has no more when what was saved doesn't fit and no file has it.
    """
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
        has_page=has_page,
        base=edits[0].version if edits else 0,
    )


def version_number(desk: Desk, name: str) -> int:
    """A version a form carries; 0 when it carries none."""
    typed = desk.field(name, 9)
    return int(typed) if typed.isascii() and typed.isdigit() else 0
