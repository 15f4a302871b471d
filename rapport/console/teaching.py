"""Corrections to accept or reject, and what the bot did not understand."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from rapport.console import intents, marking
from rapport.console.desk import Desk, allowed, number
from rapport.kit import clock, languages
from rapport.kit.errors import InvalidInputError
from rapport.staff import repository as people
from rapport.staff.rules import May
from rapport.teaching import project as projects
from rapport.teaching import repository, rules, service

PAGE = 100
CLUSTERS, EACH = 15, 30
JUDGED = timedelta(days=30)

routes = APIRouter()
Teaching = Annotated[Desk, Depends(allowed(May.TEACH))]


@routes.get("/teaching")
def corrections(desk: Teaching, status: str = "proposed", value: str = "") -> Response:
    """What staff have corrected, by intent."""
    status = status if status in {"proposed", "accepted", "rejected"} else "proposed"
    project = projects.read(desk.parts.settings.project_dir)
    with desk.reading() as session:
        rows = repository.waiting(session, status, PAGE, value or None)
        plan = service.plan(project, [row[0] for row in rows if row[0].status != "rejected"])
        return desk.page(
            "teaching.html",
            tab="corrections",
            state=status,
            value=value,
            groups=_groups(rows),
            counts={one: repository.counts(session, one) for one in ("proposed", "accepted", "rejected")},
            problems=plan.problems,
            problem_said=lambda problem: _problem(desk, problem),
            answers=repository.answers(session, clock.now() - JUDGED),
            bad=repository.bad_answers(session, 20),
            names=people.names(session),
            meaning=intents.meaning,
            writable=project.is_writable(),
        )


@routes.post("/teaching/decide")
def decide(desk: Teaching) -> Response:
    """Accepts or rejects those that are ticked, or the one whose button was pressed."""
    verdict, _, single = desk.field("verdict").partition(":")
    if verdict not in {"accept", "reject"}:
        raise InvalidInputError(desk.gettext("Accept or reject."))
    ids = set(_numbers([single] if single else desk.fields("id")))
    words = {one: desk.field(f"words-{one}", 1000) for one in ids if f"words-{one}" in desk.form}
    with desk.writing() as session:
        decided = service.decide(session, desk.staff.id, ids, verdict == "accept", words)
        for annotation in decided:
            desk.note(session, f"{verdict} a correction", "annotation", annotation.id, value=annotation.value)
    count = len(decided)
    said = (
        desk.ngettext("%(num)s correction accepted.", "%(num)s corrections accepted.", count)
        if verdict == "accept"
        else desk.ngettext("%(num)s correction rejected.", "%(num)s corrections rejected.", count)
    )
    status = desk.field("status", 10)
    return desk.go(f"/console/teaching?status={status if status.isalpha() else 'proposed'}", said)


@routes.get("/teaching/unclear")
def unclear(desk: Teaching, language: str = "") -> Response:
    """What was not understood, similar messages together."""
    language = languages.normalise(language) or desk.staff.language
    # Sorting thousands of messages takes its time: nobody who writes waits for it.
    with desk.reading() as session:
        clusters, total = service.not_understood(session, language, CLUSTERS, EACH)
    with desk.writing() as session:
        desk.note(session, "look at what was not understood", "view", language)
    return desk.page(
        "teaching_unclear.html",
        tab="unclear",
        wanted=language,
        clusters=clusters,
        total=total,
        meaning=intents.meaning,
        **marking.choices(desk),
    )


@routes.post("/teaching/unclear")
def label(desk: Teaching) -> Response:
    """All ticked messages mean that, are out of scope, or are nothing to learn from."""
    language = languages.normalise(desk.field("language", 5)) or "en"
    what = desk.field("what", 20)
    ids = _numbers(desk.fields("id"))
    said = {meaning: name for name, meaning in marking.choices(desk)["intent_choices"]}
    wanted = desk.field("intent", 120)
    intent = {"ignore": None, "scope": rules.OUT_OF_SCOPE}.get(what, said.get(wanted, wanted))
    back = f"/console/teaching/unclear?language={language}"
    project = projects.read(desk.parts.settings.project_dir)
    try:
        with desk.writing() as session:
            marked = service.label(session, project, desk.staff.id, ids, intent)
            value = intent or "-"
            desk.note(session, "label messages", "annotation", value, count=len(marked), language=language)
    except InvalidInputError:
        return desk.go(back, desk.gettext("Nothing was kept: choose one of the intents."), refused=True)
    if intent is None:
        told = desk.ngettext("%(num)s message put aside.", "%(num)s messages put aside.", len(marked))
    else:
        told = desk.ngettext(
            "%(num)s message will be learned.", "%(num)s messages will be learned.", len(marked)
        )
    return desk.go(back, told)


def _numbers(sent: list[str]) -> list[int]:
    return [one for text in sent if (one := number(text)) is not None]


def _groups(rows: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for row in rows:
        groups.setdefault(row[0].value, []).append(row)
    return groups


def _problem(desk: Desk, problem: service.Problem) -> str:
    """Why something cannot be learned."""
    other = problem.other
    what = {
        "empty": desk.gettext("There are no words in it."),
        "known": desk.gettext("The bot has learned from these words already."),
        "conflict": desk.gettext(
            "The same words stand under another intent: “%(text)s” means %(intent)s.",
            text=other.text if other else "",
            intent=other.intent if other else "",
        ),
        "held_out": desk.gettext("It is one of the messages the bot is measured with."),
    }
    return what[problem.what]
