"""Whom an offer or a journey is for: in a form, and in words."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from rapport.console.desk import Desk
from rapport.console.i18n import mark
from rapport.console.names import word
from rapport.console.settings_reader import Fields
from rapport.loyalty.offers.rulebook import AudienceRule
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.value.segments import get_segments

CHOSEN = {"stages": mark("Stages (none: all)"), "segments": mark("Segments (none: all)")}
CHOSEN["tiers"] = mark("Levels of the club (none: all)")
STAGES = ("know", "interest", "trust")


def shown(asked: AudienceRule) -> Fields:
    """What stands in the fields."""
    return {
        **{name: ",".join(getattr(asked, name)) for name in CHOSEN},
        "interests": ", ".join(asked.interests),
        "min_orders": str(asked.min_orders or ""),
        "max_orders": "" if asked.max_orders is None else str(asked.max_orders),
    }


def sent(desk: Desk) -> Fields:
    """What was ticked."""
    return {name: ",".join(desk.fields(name)) for name in CHOSEN}


def read(fields: Fields) -> dict[str, Any]:
    """What was typed and ticked, as it stands in a file. Whether it makes sense is decided by the model."""
    return {
        **{name: _listed(fields.get(name, "")) for name in (*CHOSEN, "interests")},
        "min_orders": fields.get("min_orders") or 0,
        "max_orders": fields.get("max_orders") or None,
    }


def unknown(desk: Desk, session: Session, asked: dict[str, Any], before: AudienceRule) -> dict[str, str]:
    """What the models cannot know: new interests that are neither a category nor a product."""
    for name in asked["interests"]:
        if name not in before.interests and shop.topic_name(session, name, desk.staff.language) is None:
            said = desk.gettext("There is no category or article %(name)s.", name=name[:60])
            return {"interests": said}
    return {}


def names(language: str) -> dict[str, dict[str, str]]:
    """What can be ticked in each list, as people call it."""
    segments, tiers = get_segments(), get_facts().club.tiers
    return {
        "stages": {one: word("stage", one, language) for one in STAGES},
        "segments": {one: segments.name(one, language) for one in segments.keys},
        "tiers": {tier.key: tier.name.of(language) for tier in tiers},
    }


def choices(fields: Fields, language: str) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """(field, its label, what can be ticked) for each list, also what is ticked but no longer there."""
    known = names(language)
    return [
        (name, label, list({**known[name], **_gone(fields.get(name, ""), known[name])}.items()))
        for name, label in CHOSEN.items()
    ]


def told(desk: Desk, asked: AudienceRule) -> str:
    """Whom it is for, in words."""
    parts = [
        ", ".join(called.get(one, one) for one in getattr(asked, name))
        for name, called in names(desk.staff.language).items()
    ]
    parts.append(", ".join(asked.interests))
    least, most = asked.min_orders, asked.max_orders
    if least:
        parts.append(desk.ngettext("from %(num)s order on", "from %(num)s orders on", least))
    if most is not None:
        none = desk.gettext("no orders yet")
        parts.append(desk.ngettext("up to %(num)s order", "up to %(num)s orders", most) if most else none)
    return "; ".join(part for part in parts if part) or desk.gettext("everybody")


def place(name: str) -> str:
    """The field of a mistake in an audience, as pydantic names it: `audience.stages.0`."""
    part = name.removeprefix("audience").strip(".").partition(".")[0]
    return part or "max_orders"


def _listed(typed: str) -> list[str]:
    return [part.strip() for part in typed.split(",") if part.strip()]


def _gone(ticked: str, known: dict[str, str]) -> dict[str, str]:
    return {one: one for one in _listed(ticked) if one not in known}
