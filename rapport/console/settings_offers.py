"""Offers: what they give, when, and how much they may cost. Whom they are for stays in the file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from rapport.console import settings_words as words
from rapport.console.desk import Desk, allowed
from rapport.console.i18n import mark
from rapport.console.settings import history_page, restored, save, version_number
from rapport.console.settings_forms import Fields, Reader
from rapport.edits import effective, repository, rules, service
from rapport.kit.errors import ConfigurationError, ConflictError, NotFoundError
from rapport.kit.format import typed_money
from rapport.loyalty.offers import sync
from rapport.loyalty.offers.rulebook import (
    EDITED,
    SECTION,
    OfferRule,
    Rulebook,
    get_rulebook_file,
    with_offer,
)
from rapport.shop.facts import get_facts
from rapport.staff import repository as staff
from rapport.staff.rules import May

routes = APIRouter()
SettingsDesk = Annotated[Desk, Depends(allowed(May.SETTINGS))]
PATH = "/console/settings/offers"
MONEY = ("amount_minor", "minimum_minor", "max_discount_minor", "budget_minor")
WHOLE = ("percent", "valid_days", "cap", "per_customer")
NO_TIME = mark("Choose a day and a time.")
BUDGET = mark("Codes are good that may cost any sum, so no budget can be kept for this offer.")
OCCASIONS = {
    "standing": mark("for whoever asks"),
    "birthday": mark("on a birthday"),
    "anniversary": mark("a year after the first order"),
    "surprise": mark("as a surprise"),
    "recovery": mark("after a complaint"),
    "points": mark("for points"),
    "referral": mark("for a friend"),
}


@routes.get("/settings/offers")
def overview(desk: SettingsDesk) -> Response:
    """All offers of the file as they count now."""
    with desk.reading() as session:
        book, broken = effective.offers(session)
        newest = {edit.section: edit for edit in repository.newest_of_all(session)}
        return desk.page(
            "settings_offers.html",
            offers=book.offers,
            broken=broken,
            newest=newest,
            names=staff.names(session),
            occasions=OCCASIONS,
            prefix=SECTION,
        )


@routes.get("/settings/offers/{key}")
def show(desk: SettingsDesk, key: str) -> Response:
    with desk.reading() as session:
        rule = _rule(effective.offers(session)[0], key)
        return _page(desk, session, rule, _fields(desk, rule), service.version_of(session, SECTION + key))


@routes.post("/settings/offers/{key}")
def change(desk: SettingsDesk, key: str) -> Response:
    """Shows what changes, or saves it: codes given already keep their terms."""
    base = version_number(desk, "base")
    fields = {name: desk.field(name, 200) for name in desk.form if name not in {"csrf", "do"}}
    with desk.reading() as session:
        book = effective.offers(session)[0]
        rule, in_file = _rule(book, key), _rule(get_rulebook_file(), key)
        typed, problems = _read(desk, rule, fields)
        try:
            after = _rule(with_offer(book, get_facts(), key, typed), key)
        except ValidationError as error:
            found = words.problems(desk, error.errors(), skip=2)
            problems = found | problems
        if problems:
            return _page(desk, session, rule, fields, base, 422, problems=problems)
        if desk.field("do") != "save":
            changes = words.lines(desk, rules.differences(_content(rule), _content(after)))
            return _page(desk, session, rule, fields, base, changes=changes, looked=True)
    # Only what is other than in the file, so that the rest follows it.
    file = _content(in_file)
    value = {name: part for name, part in _content(after).items() if part != file[name]}
    try:
        save(desk, SECTION + key, base, value, then=_take_over)
    except ConflictError:
        with desk.reading() as session:
            return _page(desk, session, rule, fields, base, 409, conflict=True)
    except ConfigurationError:
        with desk.reading() as session:
            problems = {"budget_minor": desk.gettext(BUDGET)}
            return _page(desk, session, rule, fields, base, 422, problems=problems)
    said = desk.gettext("Saved. Codes that were given already keep their terms.")
    return desk.go(f"{PATH}/{key}", said)


@routes.get("/settings/offers/{key}/history")
def history(desk: SettingsDesk, key: str) -> Response:
    """Who changed what, when; each version tells only what is other than in the file."""
    rule = _rule(get_rulebook_file(), key)
    with desk.reading() as session:
        return history_page(desk, session, SECTION + key, rule.name, f"{PATH}/{key}", {})


@routes.post("/settings/offers/{key}/restore")
def restore(desk: SettingsDesk, key: str) -> Response:
    """An earlier version once more; version 0 is the file."""
    rule, number = _rule(get_rulebook_file(), key), version_number(desk, "version")
    with desk.reading() as session:
        value = service.version(session, SECTION + key, number).value if number else None
        try:
            with_offer(get_rulebook_file(), get_facts(), key, value or {})
        except ValueError as error:
            raise ConflictError(
                desk.gettext("That version doesn't fit any more: %(why)s", why=str(error))
            ) from None
    path = f"{PATH}/{key}/history"
    try:
        return restored(desk, SECTION + key, value, number, path, rule.name, _take_over)
    except ConfigurationError:
        raise ConflictError(desk.gettext(BUDGET)) from None


def _take_over(session: Session) -> None:
    """At once, instead of when the job comes round. Raises ConfigurationError."""
    sync.sync(session, effective.offers(session)[0])


def _rule(book: Rulebook, key: str) -> OfferRule:
    for rule in book.offers:
        if rule.key == key:
            return rule
    raise NotFoundError("There is no such offer.")


def _content(rule: OfferRule) -> dict[str, Any]:
    content = rule.model_dump(mode="json")
    return {name: content[name] for name in EDITED}


def _fields(desk: Desk, rule: OfferRule) -> Fields:
    facts = get_facts()
    fields = {name: "" if (part := getattr(rule, name)) is None else str(part) for name in EDITED}
    for name in MONEY:
        if (minor := getattr(rule, name)) is not None:
            fields[name] = typed_money(minor, facts.currency, desk.staff.language)
    for name in ("starts", "ends"):
        if (at := getattr(rule, name)) is not None:
            fields[name] = at.astimezone(ZoneInfo(facts.timezone)).strftime("%Y-%m-%dT%H:%M")
    for name in ("keep_margin", "active"):
        fields[name] = "yes" if getattr(rule, name) else ""
    return fields


def _read(desk: Desk, rule: OfferRule, fields: Fields) -> tuple[dict[str, Any], dict[str, str]]:
    """(what was typed as it stands in a file, what can't be read)."""
    facts = get_facts()
    reader = Reader(fields, desk.staff.language, facts.currency)
    typed: dict[str, Any] = {"name": reader.text("name")}
    typed |= {name: reader.money(name) for name in MONEY}
    typed |= {name: reader.optional(name) for name in WHOLE}
    typed["minimum_minor"] = typed["minimum_minor"] or 0
    # What kind of offer it is stays as in the file.
    for name in ("percent", "amount_minor"):
        if getattr(rule, name) is None:
            typed[name] = None
    for name in ("starts", "ends"):
        typed[name] = None
        if text := reader.text(name):
            try:
                at = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(facts.timezone))
                typed[name] = at.isoformat()
            except ValueError:
                reader.problems[name] = NO_TIME
    typed |= {name: bool(reader.text(name)) for name in ("keep_margin", "active")}
    return typed, {name: desk.gettext(said) for name, said in reader.problems.items()}


def _page(
    desk: Desk,
    session: Session,
    rule: OfferRule,
    fields: Fields,
    base: int,
    status: int = 200,
    **more: Any,
) -> Response:
    section = SECTION + rule.key
    values = {
        "problems": {},
        "changes": [],
        "looked": False,
        "conflict": False,
        "broken": effective.offers(session)[1].get(section),
        "rule": rule,
        "fields": fields,
        "base": base,
        "newest": repository.newest(session, section),
        "names": staff.names(session),
        "occasions": OCCASIONS,
        **more,
    }
    return desk.page("settings_offer.html", status, **values)
