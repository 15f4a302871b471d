"""The bot's answers about the shop: found by words, changed in four languages, with a preview."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from rapport.console import settings_words as words
from rapport.console.desk import Desk
from rapport.console.settings_frame import (
    SettingsDesk,
    form_page,
    history_page,
    restored,
    saved_or_again,
    version_number,
)
from rapport.edits import effective, repository, rules, service
from rapport.kit.errors import NotFoundError
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import get_settings
from rapport.shop import knowledge
from rapport.shop.knowledge import SECTION

routes = APIRouter()
PATH = "/console/settings/answers"
LONGEST = 2000


@routes.get("/settings/answers")
def overview(desk: SettingsDesk, q: str = "") -> Response:
    """All answers, or those whose key or text has the words looked for."""
    wanted = q.strip()[:100]
    with desk.reading() as session:
        texts = _texts(session)
        found = {
            key: answer[desk.staff.language]
            for key, answer in texts.items()
            if wanted.casefold() in " ".join([key.replace("_", " "), *answer.values()]).casefold()
        }
        edited = {section for section in repository.values(session) if section.startswith(SECTION)}
        return desk.page(
            "settings_answers.html",
            answers=found,
            total=len(texts),
            edited=edited,
            wanted=wanted,
            prefix=SECTION,
        )


@routes.get("/settings/answers/{key}")
def show(desk: SettingsDesk, key: str) -> Response:
    with desk.reading() as session:
        fields = _answer(_texts(session), key)
        return _page(desk, session, key, fields, service.version_of(session, SECTION + key))


@routes.post("/settings/answers/{key}")
def change(desk: SettingsDesk, key: str) -> Response:
    """Shows what the bot will say, or saves it."""
    base = version_number(desk, "base")
    fields = {code: desk.field(code, LONGEST) for code in LANGUAGES}
    with desk.reading() as session:
        before = _answer(_texts(session), key)
        try:
            spoken = knowledge.spoken(fields, effective.facts(session).facts)
        except ValidationError as error:
            problems = words.problems(desk, error.errors(), skip=0)
            return _page(desk, session, key, fields, base, 422, problems=problems)
        if desk.field("do") != "save":
            changes = words.lines(desk, rules.differences(before, fields))
            return _page(desk, session, key, fields, base, spoken=spoken, changes=changes)
    said = desk.gettext("Saved. The bot says it from now on.")
    again = partial(_page, desk, key=key, fields=fields, base=base)
    return saved_or_again(desk, SECTION + key, base, fields, f"{PATH}/{key}", said, again)


@routes.get("/settings/answers/{key}/history")
def history(desk: SettingsDesk, key: str) -> Response:
    """Who changed what, when."""
    file = _answer(knowledge.written(get_settings().knowledge_dir), key)
    with desk.reading() as session:
        return history_page(desk, session, SECTION + key, _title(key), f"{PATH}/{key}", file)


@routes.post("/settings/answers/{key}/restore")
def restore(desk: SettingsDesk, key: str) -> Response:
    """An earlier version once more; version 0 is the file."""
    number = version_number(desk, "version")
    with desk.reading() as session:
        _answer(_texts(session), key)
        value = service.version(session, SECTION + key, number).value if number else None
    return restored(desk, SECTION + key, value, number, f"{PATH}/{key}/history", _title(key))


def _texts(session: Session) -> dict[str, dict[str, str]]:
    """The answers with their placeholders, as they count now."""
    texts = knowledge.written(get_settings().knowledge_dir)
    broken = effective.broken(session)[1]
    for section, value in repository.values(session).items():
        key = section.removeprefix(SECTION)
        if section.startswith(SECTION) and key in texts and section not in broken:
            texts[key] = value
    return texts


def _answer(texts: dict[str, dict[str, str]], key: str) -> dict[str, str]:
    if key not in texts:
        raise NotFoundError("There is no such answer.")
    return texts[key]


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _page(
    desk: Desk,
    session: Session,
    key: str,
    fields: dict[str, str],
    base: int,
    status: int = 200,
    **more: Any,
) -> Response:
    values = {
        "heading": _title(key),
        "placeholders": knowledge.placeholder_names(effective.facts(session).facts),
        **more,
    }
    return form_page(desk, session, "settings_answer.html", SECTION + key, fields, base, status, **values)
