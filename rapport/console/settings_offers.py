"""Offers: what they give, to whom, when, and how much they may cost; new ones after the model of others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from rapport.console import settings_audience as audience
from rapport.console import settings_offer_form as form
from rapport.console import settings_preview as preview
from rapport.console import settings_words as words
from rapport.console.desk import Desk
from rapport.console.i18n import mark
from rapport.console.settings_frame import (
    SettingsDesk,
    form_page,
    history_page,
    restored,
    save,
    saved_or_again,
    version_number,
)
from rapport.console.settings_reader import Fields, slug
from rapport.edits import effective, repository, rules, service
from rapport.kit import clock
from rapport.kit.errors import ConfigurationError, ConflictError, NotFoundError
from rapport.loyalty.offers import repository as codes
from rapport.loyalty.offers import sync
from rapport.loyalty.offers.rulebook import (
    EDITED,
    SECTION,
    OfferRule,
    Rulebook,
    get_rulebook_file,
    with_offer,
)
from rapport.outreach.journeys import service as journeys
from rapport.shop.facts import get_facts
from rapport.staff import repository as staff

routes = APIRouter()
PATH = "/console/settings/offers"
BUDGET = mark("Codes are good that may cost any sum, so no budget can be kept for this offer.")
SAME_NAME = mark("Another offer has this name already.")
OCCASIONS = {
    "standing": mark("for whoever asks"),
    "birthday": mark("on a birthday"),
    "anniversary": mark("a year after the first order"),
    "surprise": mark("as a surprise"),
    "recovery": mark("after a complaint"),
    "points": mark("for points"),
    "referral": mark("for a friend"),
}
# Of these a shop has one.
SINGLE = ("points", "referral")


@routes.get("/settings/offers")
def overview(desk: SettingsDesk) -> Response:
    """All offers as they count now, the ended ones apart."""
    with desk.reading() as session:
        book, broken = effective.offers(session)
        newest = {edit.section: edit for edit in repository.newest_of_all(session)}
        known = {SECTION + rule.key for rule in book.offers}
        return desk.page(
            "settings_offers.html",
            lost=[
                (key := section.removeprefix(SECTION), _named(session, key), why)
                for section, why in broken.items()
                if section not in known
            ],
            offers=[rule for rule in book.offers if rule.active],
            ended=[rule for rule in book.offers if not rule.active],
            audience={rule.key: audience.told(desk, rule.audience) for rule in book.offers},
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
        base = service.version_of(session, SECTION + key)
        return _page(desk, session, rule, fields=form.shown(desk, rule), base=base)


@routes.post("/settings/offers/{key}")
def change(desk: SettingsDesk, key: str) -> Response:
    """Shows what changes, or saves it: codes given already keep their terms."""
    base, fields = version_number(desk, "base"), form.sent(desk)
    with desk.reading() as session:
        book = effective.offers(session)[0]
        rule = _rule(book, key)
        again = partial(_page, desk, rule=rule, fields=fields, base=base)
        typed, problems = form.read(desk, session, rule, fields, any_kind=False)
        after, wrong = _checked(desk, book, key, typed)
        if after is None or problems or desk.field("do") != "save":
            return _again(desk, session, again, rule, after, wrong | problems)
    said = desk.gettext("Saved. Codes that were given already keep their terms.")
    return _save(desk, after, base, f"{PATH}/{key}", said, again)


@routes.get("/settings/offers/{key}/copy")
def copy(desk: SettingsDesk, key: str) -> Response:
    """The form of a new offer, filled in like another."""
    with desk.reading() as session:
        rule = _rule(effective.offers(session)[0], key)
        fields = form.shown(desk, rule) | {"name": "", "starts": "", "ends": ""}
        return _page(desk, session, rule, new=True, fields=fields, base=0)


@routes.post("/settings/offers/{key}/copy")
def create(desk: SettingsDesk, key: str) -> Response:
    """Shows what customers would hear of a new offer, or saves it. Its key is made of its name."""
    fields = form.sent(desk)
    with desk.reading() as session:
        book = effective.offers(session)[0]
        rule = _rule(book, key)
        again = partial(_page, desk, rule=rule, new=True, fields=fields, base=0)
        typed, problems = form.read(desk, session, rule, fields, any_kind=True)
        if typed["name"].casefold() in {other.name.casefold() for other in book.offers}:
            problems["name"] = desk.gettext(SAME_NAME)
        new = _free_key(session, typed["name"])
        whole = {**rule.model_dump(mode="json"), **typed, "key": new, "active": True}
        after, wrong = _checked(desk, book, new, whole)
        if after is None or problems or desk.field("do") != "save":
            return _again(desk, session, again, rule, after, wrong | problems)
    said = desk.gettext("Saved. Customers get it from now on.")
    return _save(desk, after, 0, f"{PATH}/{new}", said, again)


@routes.post("/settings/offers/{key}/end")
def end(desk: SettingsDesk, key: str) -> Response:
    """No more codes of it are given, or again; those that were given stay good."""
    base, back = version_number(desk, "base"), desk.field("back") == "yes"
    with desk.reading() as session:
        book = effective.offers(session)[0]
        rule = _rule(book, key)
        after, wrong = _checked(desk, book, key, {"active": back})
    if after is None:
        raise ConflictError(" ".join(wrong.values()))
    said = desk.gettext("It is given again.") if back else desk.gettext("Ended. Codes given stay good.")
    note = desk.gettext("Given again") if back else desk.gettext("Ended")
    try:
        save(desk, SECTION + key, base, _value(after), note, sync.take_over)
    except ConflictError:
        raise ConflictError(desk.gettext(words.CHANGED)) from None
    return desk.go(f"{PATH}/{rule.key}", said)


@routes.get("/settings/offers/{key}/history")
def history(desk: SettingsDesk, key: str) -> Response:
    """Who changed what, when; of the file's offers each version tells only what is other than there."""
    with desk.reading() as session:
        name, in_file = _named(session, key), _in_file(key) is not None
        counts = any(rule.key == key for rule in effective.offers(session)[0].offers)
        return history_page(desk, session, SECTION + key, name, f"{PATH}/{key}", {}, in_file, counts)


@routes.post("/settings/offers/{key}/restore")
def restore(desk: SettingsDesk, key: str) -> Response:
    """An earlier version once more; version 0 is the file."""
    number = version_number(desk, "version")
    with desk.reading() as session:
        name = _named(session, key)
        value = service.version(session, SECTION + key, number).value if number or not _in_file(key) else None
        try:
            with_offer(effective.offers(session, SECTION + key)[0], get_facts(), key, value or {})
        except ValueError as error:
            raise ConflictError(desk.gettext(words.MISFIT, why=str(error))) from None
    path = f"{PATH}/{key}/history"
    try:
        return restored(desk, SECTION + key, value, number, path, name, sync.take_over)
    except ConfigurationError:
        raise ConflictError(desk.gettext(BUDGET)) from None


def _checked(
    desk: Desk, book: Rulebook, key: str, change: dict[str, Any]
) -> tuple[OfferRule | None, dict[str, str]]:
    """(the offer with the change, if all offers make sense with it, what is wrong by field)."""
    try:
        return _rule(with_offer(book, get_facts(), key, change), key), {}
    except ValidationError as error:
        return None, form.problems(desk, error)


def _again(
    desk: Desk,
    session: Session,
    again: Callable[..., Response],
    before: OfferRule,
    after: OfferRule | None,
    problems: dict[str, str],
) -> Response:
    """The form with its mistakes, or with what would change and be said."""
    if after is None or problems:
        return again(session, status=422, problems=problems)
    changes = words.lines(desk, rules.differences(_content(before), _content(after)))
    return again(session, changes=changes, spoken=preview.offered(session, after))


def _save(desk: Desk, rule: OfferRule, base: int, path: str, said: str, again: Any) -> Response:
    try:
        return saved_or_again(desk, SECTION + rule.key, base, _value(rule), path, said, again, sync.take_over)
    except ConfigurationError:
        with desk.reading() as session:
            answer: Response = again(session, status=422, problems={"budget_minor": desk.gettext(BUDGET)})
            return answer


def _value(rule: OfferRule) -> dict[str, Any]:
    """What is stored: of the file's offers only what is other than there, so that the rest follows it."""
    in_file = _in_file(rule.key)
    if in_file is None:
        return rule.model_dump(mode="json")
    file = _content(in_file)
    return {name: part for name, part in _content(rule).items() if part != file[name]}


def _free_key(session: Session, name: str) -> str:
    """A key that no offer has or ever had: codes of another are not counted as its own."""
    had = codes.offer_keys(session)
    edited = {edit.section.removeprefix(SECTION) for edit in repository.newest_of_all(session)}
    key = slug(name, set(), "offer")
    return slug(f"offer_{key}" if key[0].isdigit() else key, had | edited, "offer")


def _in_file(key: str) -> OfferRule | None:
    return next((rule for rule in get_rulebook_file().offers if rule.key == key), None)


def _rule(book: Rulebook, key: str) -> OfferRule:
    for rule in book.offers:
        if rule.key == key:
            return rule
    raise NotFoundError("There is no such offer.")


def _named(session: Session, key: str) -> str:
    """What the offer is called, also one whose newest version doesn't fit any more. Raises NotFoundError."""
    for rule in effective.offers(session)[0].offers:
        if rule.key == key:
            return rule.name
    edit = repository.newest(session, SECTION + key)
    if edit is None:
        raise NotFoundError("There is no such offer.")
    return str(edit.value.get("name", key)) if isinstance(edit.value, dict) else key


def _content(rule: OfferRule) -> dict[str, Any]:
    content = rule.model_dump(mode="json")
    return {name: content[name] for name in EDITED}


def _page(
    desk: Desk,
    session: Session,
    rule: OfferRule,
    fields: Fields,
    base: int,
    new: bool = False,
    status: int = 200,
    **more: Any,
) -> Response:
    section = "" if new else SECTION + rule.key
    values = {
        "rule": rule,
        "new": new,
        "single": rule.occasion in SINGLE,
        "choices": audience.choices(fields, desk.staff.language),
        "occasions": OCCASIONS,
        "good": codes.good_codes(session, rule.key, clock.now()),
        "journeys": [
            (key, journey.name)
            for key, journey in journeys.journeys(session).items()
            if any(step.offer == rule.key for step in journey.steps)
        ],
        **more,
    }
    return form_page(desk, session, "settings_offer.html", section, fields, base, status, **values)
