"""What a shop's owner may change of a journey: when, to whom, in which words; and what somebody would get."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from rapport.console import settings_audience as audience
from rapport.console import settings_words as words
from rapport.console.desk import Desk
from rapport.console.names import word
from rapport.console.settings_frame import (
    SettingsDesk,
    form_page,
    history_page,
    restored,
    saved_or_again,
    version_number,
)
from rapport.console.settings_reader import Fields, shown_share, typed_share
from rapport.edits import effective, rules, service
from rapport.kit.errors import ConflictError
from rapport.kit.languages import LANGUAGES
from rapport.outreach.journeys import rules as journey_rules
from rapport.outreach.journeys import service as journeys
from rapport.outreach.journeys.definition import Journey, Words, load_all
from rapport.outreach.journeys.edited import EDITED, EDITED_OF_STEPS, EDITED_OF_TRIGGER, SECTION, with_changes
from rapport.profiles import repository as people
from rapport.profiles import service as profiles

routes = APIRouter()
PATH = "/console/journeys"
LONGEST = 4000
LONGEST_SEARCH = 320
PARTS = ("subject", "text", "short")
NUMBERS_OF_TRIGGER = ("days", "minutes", "a_day")


@routes.get("/journeys/{key}/edit")
def show(desk: SettingsDesk, key: str) -> Response:
    with desk.reading() as session:
        journey = journeys.journey(session, key)
        return _page(
            desk, session, key, journey, _fields(journey), service.version_of(session, SECTION + key)
        )


@routes.post("/journeys/{key}/edit")
def change(desk: SettingsDesk, key: str) -> Response:
    """Shows what changes, or saves it. Who is on the journey already gets the new words from then on, at the
    times they entered with.
    """
    base = version_number(desk, "base")
    fields = {name: desk.field(name, LONGEST) for name in desk.form if name not in {"csrf", "do"}}
    fields |= audience.sent(desk)
    with desk.reading() as session:
        journey = journeys.journey(session, key)
        typed = _read(journey, fields)
        again = partial(_page, desk, key=key, journey=journey, fields=fields, base=base)
        problems = audience.unknown(desk, session, typed["audience"], journey.audience)
        for step in journey.steps:
            if step.offer and typed["steps"][step.key]["offer"] not in _offers(session, step.offer):
                problems[f"{step.key}.offer"] = desk.gettext("There is no such offer.")
        try:
            after = with_changes(load_all(), key, typed)
        except ValidationError as error:
            return again(session, status=422, problems=_problems(desk, journey, error) | problems)
        if problems:
            return again(session, status=422, problems=problems)
        if desk.field("do") != "save":
            changes = words.lines(desk, rules.differences(_content(journey), _content(after)))
            return again(session, changes=changes)
    # Only what is other than in the file, so that the rest follows it.
    value = _other(_content(load_all()[key]), _content(after))
    said = desk.gettext("Saved. It counts from now on; what already waits keeps its time.")
    return saved_or_again(desk, SECTION + key, base, value, f"{PATH}/{key}", said, again)


@routes.get("/journeys/{key}/history")
def history(desk: SettingsDesk, key: str) -> Response:
    """Who changed what, when; each version tells only what is other than in the file."""
    with desk.reading() as session:
        journey = journeys.journey(session, key)
        return history_page(desk, session, SECTION + key, journey.name, f"{PATH}/{key}", {})


@routes.post("/journeys/{key}/restore")
def restore(desk: SettingsDesk, key: str) -> Response:
    """An earlier version once more; version 0 is the file."""
    number = version_number(desk, "version")
    with desk.reading() as session:
        journey = journeys.journey(session, key)
        value = service.version(session, SECTION + key, number).value if number else None
        try:
            with_changes(load_all(), key, value or {})
        except ValueError as error:
            raise ConflictError(desk.gettext(words.MISFIT, why=str(error))) from None
    return restored(desk, SECTION + key, value, number, f"{PATH}/{key}/history", journey.name)


@routes.post("/journeys/{key}/preview")
def preview(desk: SettingsDesk, key: str) -> Response:
    """What somebody would get of each step at this moment, and whether they would. Changes nothing."""
    wanted = desk.field("customer", LONGEST_SEARCH)
    with desk.reading() as session:
        journey = journeys.journey(session, key)
        found = profiles.find(session, wanted, by_name=False) if wanted else []
        shown = {}
        if found:
            shown = {step.key: journeys.preview(session, key, step.key, found[0]) for step in journey.steps}
        rows = people.by_ids(session, found[:1]) if found else []
        name = rows[0].name if rows and desk.sees_person() else None
    with desk.writing() as session:
        desk.note(session, "preview journey", "journey", key, customer=found[0] if found else None)
    return desk.page(
        "journey_preview.html",
        key=key,
        journey=journey,
        wanted=wanted,
        customer_id=found[0] if found else None,
        name=name,
        shown=shown,
        word=lambda group, one: word(group, one, desk.staff.language),
    )


def _offers(session: Session, given: str) -> dict[str, str]:
    """What a step may give codes of, by key: the offers for the same occasion, and the one it gives now."""
    offers = effective.offers(session)[0].offers
    occasion = next((rule.occasion for rule in offers if rule.key == given), "standing")
    fit = {rule.key: rule.name for rule in offers if rule.active and rule.occasion == occasion}
    return {given: given, **fit}


def _content(journey: Journey) -> dict[str, Any]:
    """What can be changed, as it is stored."""
    content = journey.model_dump(mode="json")
    return {
        **{name: content[name] for name in EDITED},
        "trigger": {name: content["trigger"][name] for name in EDITED_OF_TRIGGER},
        "steps": {step["key"]: {name: step[name] for name in EDITED_OF_STEPS} for step in content["steps"]},
    }


def _other(file: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The parts of `after` that are other than in the file; of steps and trigger, each field for itself."""
    found = {name: part for name, part in after.items() if name in EDITED and part != file[name]}
    begins = {name: part for name, part in after["trigger"].items() if part != file["trigger"][name]}
    steps = {
        key: changed
        for key, step in after["steps"].items()
        if (changed := {name: part for name, part in step.items() if part != file["steps"][key][name]})
    }
    return {**found, **({"trigger": begins} if begins else {}), **({"steps": steps} if steps else {})}


def _fields(journey: Journey) -> Fields:
    fields = {
        "active": "yes" if journey.active else "",
        "control": shown_share(journey.control),
        **audience.shown(journey.audience),
    }
    for name in NUMBERS_OF_TRIGGER:
        given = getattr(journey.trigger, name)
        fields[name] = "" if given is None else f"{given:g}"
    fields["only"] = ", ".join(journey.trigger.only)
    for step in journey.steps:
        fields[f"{step.key}.after_days"] = f"{step.after_days:g}"
        fields[f"{step.key}.offer"] = step.offer or ""
        for variant, said in (("words", step.words), ("b", step.b)):
            if said is not None:
                for code in LANGUAGES:
                    for part in PARTS:
                        fields[f"{step.key}.{variant}.{code}.{part}"] = getattr(said.of(code), part)
    return fields


def _read(journey: Journey, fields: Fields) -> dict[str, Any]:
    """What was typed, as it stands in a file. Whether it makes sense is decided by the journey's model."""
    steps = {
        step.key: {
            "after_days": fields.get(f"{step.key}.after_days") or 0,
            "offer": fields.get(f"{step.key}.offer") if step.offer else None,
            **{
                variant: {
                    code: _said(said.of(code), fields, f"{step.key}.{variant}.{code}") for code in LANGUAGES
                }
                for variant, said in (("words", step.words), ("b", step.b))
                if said is not None
            },
        }
        for step in journey.steps
    }
    begins: dict[str, Any] = {
        name: fields.get(name) or None
        for name in NUMBERS_OF_TRIGGER
        if getattr(journey.trigger, name) is not None
    }
    if "only" in fields:
        begins["only"] = [part.strip() for part in fields["only"].split(",") if part.strip()]
    return {
        "active": bool(fields.get("active")),
        "control": typed_share(fields.get("control", "")) or 0,
        "audience": audience.read(fields),
        "trigger": begins,
        "steps": steps,
    }


def _said(known: Words, fields: Fields, place: str) -> dict[str, str]:
    """What was typed for one language. A form trims: what is the same but for that was not changed."""
    found = {}
    for part in PARTS:
        typed, before = fields.get(f"{place}.{part}", ""), getattr(known, part)
        found[part] = before if typed == before.strip() else typed
    return found


def _problems(desk: Desk, journey: Journey, error: ValidationError) -> dict[str, str]:
    """What is wrong, by its field; a step by its key, and placeholders at the part they stand in."""
    found: dict[str, str] = {}
    for one in error.errors():
        loc = [str(part) for part in one["loc"]]
        if loc[0] == "steps" and len(loc) > 1 and loc[1].isdigit():
            loc = [journey.steps[int(loc[1])].key, *loc[2:]]
        elif loc[0] == "audience":
            loc = [audience.place(".".join(loc))]
        elif loc[0] == "trigger":
            loc = loc[1:]
        name = ".".join(loc)
        # A mistake in braces is one of the words as a whole: it is shown at the text.
        if loc and loc[-1] in LANGUAGES:
            name += ".text"
        found.setdefault(name, words.told(desk, one))
    return found


def _page(
    desk: Desk,
    session: Session,
    key: str,
    journey: Journey,
    fields: Fields,
    base: int,
    status: int = 200,
    **more: Any,
) -> Response:
    values = {
        "key": key,
        "journey": journey,
        "choices": audience.choices(fields, desk.staff.language),
        "offers": {step.key: _offers(session, step.offer) for step in journey.steps if step.offer},
        "placeholders": journey_rules.PLACEHOLDERS,
        **more,
    }
    return form_page(desk, session, "journey_edit.html", SECTION + key, fields, base, status, **values)
