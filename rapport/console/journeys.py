"""Journeys: all of them, one with what came of it, and who would get what now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.console import settings_audience as audience
from rapport.console.desk import Desk, allowed
from rapport.console.i18n import mark
from rapport.console.insight import as_csv
from rapport.console.insight_charts import Drawn
from rapport.console.names import word
from rapport.insight.charts import Chart, Series, Value, draw
from rapport.kit import clock
from rapport.outreach.journeys import lift, results, service
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.edited import SECTION
from rapport.outreach.journeys.lift import Difference, Group
from rapport.outreach.journeys.results import Results, Short
from rapport.privacy.personal import masked_name
from rapport.profiles import repository as profiles
from rapport.shop.facts import get_facts
from rapport.staff.rules import May

routes = APIRouter()
MyDesk = Annotated[Desk, Depends(allowed(May.INSIGHT))]
SettingsDesk = Annotated[Desk, Depends(allowed(May.SETTINGS))]
DAYS = (30, 90, 365)
OF_THE_LIST = 30
WAITING = 50
MOST_TRIED = 200
# What begins a journey, by its trigger.
BEGINS = {
    "delivered": mark("An order was delivered"),
    "subscribed": mark("Somebody agreed to hear from the shop"),
    "tips": mark("Something was delivered that needs care"),
    "related": mark("Something was bought that other things go with"),
    "refill": mark("The next order is expected soon"),
    "lapsed": mark("A good customer has been away for long"),
    "points_end": mark("Points are about to expire"),
    "birthday": mark("A present was given for a birthday"),
    "anniversary": mark("A present was given for a year as a customer"),
    "surprise": mark("A surprise was given"),
    "recovery": mark("A present was given after a complaint"),
    "complaint_solved": mark("A complaint was settled"),
    "cart_left": mark("Somebody left a full cart"),
    "product_viewed": mark("Somebody looked at a product again and again"),
    "back_in_stock": mark("Something they waited for is back"),
    "signed_up": mark("Somebody opened an account"),
}
VERDICTS = {
    "too_few": mark("Too few people yet to say anything."),
    "unclear": mark("No clear difference."),
    "better": mark("More of those who were written to got there."),
    "worse": mark("Fewer of those who were written to got there."),
}
GOALS = {
    "bought": mark("bought something"),
    "subscribed": mark("agreed to the newsletter"),
    "rated": mark("said how the help was"),
}
VARIANTS = {"a": mark("First wording"), "b": mark("Second wording"), "control": mark("Got nothing")}


@dataclass(frozen=True)
class Line:
    """A journey in the list."""

    key: str
    journey: Journey
    entered: int
    running: int
    sent: int
    skipped: int
    verdict: str | None


@dataclass(frozen=True)
class Side:
    """A group as it is compared."""

    name: str
    group: Group


@routes.get("/journeys")
def overview(desk: MyDesk) -> Response:
    """All journeys, how many are on them, and what came of the last days."""
    now = clock.now()
    with desk.reading() as session:
        journeys = service.journeys(session)
        currency, since = get_facts().currency, now - timedelta(days=OF_THE_LIST)
        found = results.in_short(session, journeys, currency, since, now)
        lines = [_line(key, journey, found[key]) for key, journey in journeys.items()]
        broken = service.broken(session)
    return desk.page(
        "journeys.html",
        lines=lines,
        broken={section.removeprefix(SECTION): why for section, why in broken.items()},
        begins=BEGINS,
        verdicts=VERDICTS,
        days=OF_THE_LIST,
        audience=lambda journey: audience.told(desk, journey.audience),
        nothing=not any(line.entered for line in lines),
    )


@routes.post("/journeys/try")
def dry_run(desk: SettingsDesk) -> Response:
    """Who would get what now, and why, and who would not although they fit."""
    with desk.reading() as session:
        trial = service.dry_run(session, clock.now())
        journeys = service.journeys(session)
    planned = trial.planned[:MOST_TRIED]
    names = _names(desk, [one.customer_id for one in planned])
    with desk.writing() as session:
        shown = {"found": len(trial.planned), "customers": sorted(names)}
        desk.note(session, "try journeys", "journey", None, **shown)
    return desk.page(
        "journeys_tried.html",
        planned=planned,
        count=len(trial.planned),
        control=trial.control,
        cut=trial.cut,
        barred=trial.barred,
        names=names,
        journeys=journeys,
        word=lambda group, key: word(group, key, desk.staff.language),
    )


@routes.get("/journeys/{key}")
def show(desk: MyDesk, key: str, days: int = 90) -> Response:
    """One journey: its way, how far people got, whether it brought anything, who comes next."""
    days = days if days in DAYS else 90
    with desk.reading() as session:
        journey = service.journey(session, key)
        found = _results(session, key, journey, days)
        fates = results.fates(session, key, clock.now() - timedelta(days=days))
        waiting = results.waiting(session, key, WAITING)
        broken = service.broken(session).get(SECTION + key)
    names = _names(desk, [step.customer_id for step in waiting])
    with desk.writing() as session:
        desk.note(session, "look", "journey", key, customers=[step.customer_id for step in waiting])
    funnel = _funnel(desk, key, found)
    sides = [Side(VARIANTS[name], group) for name, group in sorted(found.groups.items())]
    return desk.page(
        "journey.html",
        key=key,
        journey=journey,
        found=found,
        fates=fates,
        broken=broken,
        begins=BEGINS,
        goals=GOALS,
        variants=VARIANTS,
        audience=audience.told(desk, journey.audience),
        days=days,
        choices=DAYS,
        funnel=Drawn(funnel, draw(funnel)),
        sides=sides,
        verdict=VERDICTS[lift.verdict(found.written_to, found.control)],
        difference=lift.of_shares(found.written_to, found.control),
        spending=lift.of_spending(found.written_to, found.control),
        words=_words(found),
        fewest=lift.FEWEST,
        counts_as=_counts_as,
        waiting=waiting,
        names=names,
        word=lambda group, name: word(group, name, desk.staff.language),
    )


@routes.get("/journeys/{key}/steps.csv")
def download(desk: MyDesk, key: str, days: int = 90) -> Response:
    """How far people got, as a file that spreadsheets open."""
    days = days if days in DAYS else 90
    with desk.reading() as session:
        found = _results(session, key, service.journey(session, key), days)
    return Response(
        as_csv(_funnel(desk, key, found)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{key}-{days}.csv"'},
    )


def _line(key: str, journey: Journey, found: Short) -> Line:
    compared = journey.goal != "none" and any(found.groups.values())
    verdict = lift.verdict(found.written_to, found.control) if compared else None
    return Line(key, journey, found.entered, found.running, found.sent, found.skipped, verdict)


def _words(found: Results) -> Difference | None:
    """How much more the second wording brought than the first."""
    return lift.of_shares(found.groups.get("b", Group()), found.groups.get("a", Group()))


def _funnel(desk: Desk, key: str, found: Results) -> Chart:
    """What became of each step, as one chart."""
    _ = desk.gettext

    steps = list(found.steps.values())
    return Chart(
        key=f"funnel-{key}",
        kind="columns",
        title=_("What became of each step"),
        about=_("How many were sent, not sent, left before, and wait, step by step."),
        heading=_("Step"),
        labels=list(found.steps),
        series=[
            Series(_("Sent"), [sum(step.sent.values()) for step in steps]),
            Series(_("Not sent"), [sum(step.skipped.values()) for step in steps]),
            Series(_("Left before"), [sum(step.left.values()) for step in steps]),
            Series(_("Waiting"), [step.waiting for step in steps]),
        ],
        format=_count,
        short=list(found.steps),
    )


def _counts_as(number: float) -> int:
    """The whole number that has the same plural: in all our languages half of something goes like 2."""
    return int(number) if number == int(number) else 2


def _count(value: Value) -> str:
    return "" if value is None else str(int(value))


def _names(desk: Desk, ids: Sequence[int]) -> Mapping[int, str | None]:
    """Customers' names, as much of them as somebody may see."""
    if not ids:
        return {}
    with desk.reading() as session:
        rows = profiles.by_ids(session, sorted(set(ids)))
    full = desk.sees_person()
    return {row.id: row.name if full or not row.name else masked_name(row.name) for row in rows}


def _results(session: Session, key: str, journey: Journey, days: int) -> Results:
    """Of who entered in the last days."""
    now = clock.now()
    return results.of(session, key, journey, get_facts().currency, now - timedelta(days=days), now)
