"""What a shop owner edits: the shop's facts, each section with a preview, its history and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from rapport.console import settings_preview as preview
from rapport.console import settings_words as words
from rapport.console.desk import Desk
from rapport.console.i18n import mark
from rapport.console.settings_forms import FORMS, Form, moved, spans, stored
from rapport.console.settings_frame import (
    SettingsDesk,
    form_page,
    history_page,
    restored,
    saved_or_again,
    version_number,
)
from rapport.console.settings_reader import Fields, Reader
from rapport.edits import effective, repository, rules, service
from rapport.kit import clock
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.loyalty.offers.rulebook import SECTION as OFFER
from rapport.outreach.journeys import service as journeys
from rapport.replies import service as replies
from rapport.shop.facts import SECTIONS, Effective, ShopFacts, get_facts, with_section
from rapport.shop.hours import WEEKDAYS, is_open, opens_next
from rapport.shop.knowledge import CARE
from rapport.shop.knowledge import SECTION as ANSWER
from rapport.staff import repository as staff

routes = APIRouter()
PATH = "/console/settings"
LOST_LEVEL = mark("“%(offer)s” is for a level that would be gone: %(level)s.")


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
            "forms": list(FORMS.values()),
            "newest": newest,
            "broken": broken,
            "names": staff.names(session),
            "edited_offers": _count(newest, OFFER),
            "edited_answers": _count(newest, (ANSWER, CARE)),
            "offers": len(effective.offers(session)[0].offers),
            "replies": len(replies.offered(session)),
        }
        return desk.page("settings.html", **values)


def _count(newest: dict[str, Any], prefix: str | tuple[str, ...]) -> int:
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
        typed = _read(desk, session, form, fields, now)
        if typed.facts is None:
            return _page(desk, session, form, fields, base, 422, problems=typed.problems)
        if do != "save":
            before = stored(now.facts, SECTIONS[section])
            after_it = stored(typed.facts, SECTIONS[section])
            changes = words.lines(desk, rules.differences(before, after_it))
            said = preview.spoken(section, typed.facts)
            return _page(desk, session, form, fields, base, spoken=said, changes=changes)
    value = stored(typed.facts, SECTIONS[section])
    done = desk.gettext("Saved. The bot says it from now on.")
    again = partial(_page, desk, form=form, fields=fields, base=base)
    return saved_or_again(desk, section, base, value, f"{PATH}/{section}", done, again)


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
        now = effective.facts(session)
        after = stored(now.file, SECTIONS[section]) if value is None else value
        try:
            facts = with_section(now.facts, section, after)
        except ValidationError as error:
            raise ConflictError(desk.gettext(words.MISFIT, why=error.errors()[0]["msg"])) from None
        if lost := _lost_level(session, facts):
            raise ConflictError(desk.gettext(LOST_LEVEL, offer=lost[0], level=lost[1]))
    return restored(desk, section, value, number, f"{PATH}/{section}/history", desk.gettext(form.title))


def _form(section: str) -> Form:
    if section not in FORMS:
        raise NotFoundError("There is no such section.")
    return FORMS[section]


def _read(desk: Desk, session: Session, form: Form, fields: Fields, now: Effective) -> Typed:
    reader = Reader(fields, desk.staff.language, now.facts.currency)
    value = form.read(reader)
    problems = {name: desk.gettext(said) for name, said in reader.problems.items()}
    try:
        facts = with_section(now.facts, form.key, value)
    except ValidationError as error:
        return Typed(value, None, words.problems(desk, error.errors()) | problems)
    if lost := _lost_level(session, facts):
        problems[""] = desk.gettext(LOST_LEVEL, offer=lost[0], level=lost[1])
    return Typed(value, None if problems else facts, problems)


def _lost_level(session: Session, facts: ShopFacts) -> tuple[str, str] | None:
    """(an offer or a journey, the level it is for that there is no more), if there is one."""
    levels = {tier.key for tier in facts.club.tiers}
    asked = [(offer.name, offer.audience) for offer in effective.offers(session)[0].offers]
    asked += [(journey.name, journey.audience) for journey in journeys.journeys(session).values()]
    lost = [(name, key) for name, audience in asked for key in audience.tiers if key not in levels]
    return lost[0] if lost else None


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
        "form": form,
        "rows": range(int(fields.get("rows", "0"))),
        "weekdays": [(day, words.LABELS[day]) for day in WEEKDAYS],
        "spans": spans(fields),
        "is_open": is_open(facts, now),
        "opens": opens_next(facts, now),
        **more,
    }
    return form_page(desk, session, "settings_section.html", form.key, fields, base, status, **values)
