"""The bot's answers about the shop and its care tips: found by words, changed in four languages."""

from __future__ import annotations

from collections.abc import Collection
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
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import get_settings
from rapport.shop import knowledge
from rapport.shop import repository as products
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.shop.knowledge import CARE, SECTION

routes = APIRouter()
PATH = "/console/settings/answers"
LONGEST = 2000
Texts = dict[str, str]


@routes.get("/settings/answers")
def overview(desk: SettingsDesk, q: str = "") -> Response:
    """All answers and care tips, or those whose title or text has the words looked for.

    Who looks for a category or product without tips can write some.
    """
    wanted = q.strip()[:100]
    with desk.reading() as session:
        texts = _texts(session)
        titles = _titles(desk, session, texts)
        found = {
            section: texts[section].get(desk.staff.language, "")
            for section, title in titles.items()
            if wanted.casefold() in " ".join([section, title, *texts[section].values()]).casefold()
        }
        without = f"{CARE}{wanted}"
        if without in texts or "/" in wanted or not _is_known(session, without):
            without = ""
        return desk.page(
            "settings_answers.html",
            answers=found,
            titles=titles,
            total=len(texts),
            edited=repository.values(session),
            wanted=wanted,
            without=without,
            address=_address,
        )


@routes.get("/settings/answers/{key}")
def show(desk: SettingsDesk, key: str) -> Response:
    with desk.reading() as session:
        section, fields = _answer(session, key)
        base = service.version_of(session, section)
        return _page(desk, session, section=section, fields=fields, base=base)


@routes.post("/settings/answers/{key}")
def change(desk: SettingsDesk, key: str) -> Response:
    """Shows what the bot will say, or saves it."""
    base = version_number(desk, "base")
    fields = {code: desk.field(code, LONGEST) for code in LANGUAGES}
    with desk.reading() as session:
        section, before = _answer(session, key)
        again = partial(_page, desk, section=section, fields=fields, base=base)
        try:
            spoken = knowledge.spoken(fields, effective.facts(session).facts)
        except ValidationError as error:
            return again(session, status=422, problems=words.problems(desk, error.errors(), skip=0))
        if desk.field("do") != "save":
            return again(session, spoken=spoken, changes=words.lines(desk, rules.differences(before, fields)))
    said = desk.gettext("Saved. The bot says it from now on.")
    return saved_or_again(desk, section, base, fields, _address(section), said, again)


@routes.get("/settings/answers/{key}/history")
def history(desk: SettingsDesk, key: str) -> Response:
    """Who changed what, when."""
    with desk.reading() as session:
        section, _ = _answer(session, key)
        file = knowledge.written(get_settings().knowledge_dir).get(section, {})
        return history_page(desk, session, section, _title(desk, session, section), _address(section), file)


@routes.post("/settings/answers/{key}/restore")
def restore(desk: SettingsDesk, key: str) -> Response:
    """An earlier version once more; version 0 is the file, which may have no such tips."""
    number = version_number(desk, "version")
    with desk.reading() as session:
        section, _ = _answer(session, key)
        title = _title(desk, session, section)
        value = service.version(session, section, number).value if number else None
        if value is not None:
            try:
                knowledge.spoken(value, effective.facts(session).facts)
            except ValidationError as error:
                why = "; ".join(words.problems(desk, error.errors(), skip=0).values())
                raise ConflictError(desk.gettext(words.MISFIT, why=why)) from None
    return restored(desk, section, value, number, f"{_address(section)}/history", title)


def _texts(session: Session) -> dict[str, Texts]:
    """What the bot says by section, with its placeholders, as it counts now."""
    texts = knowledge.written(get_settings().knowledge_dir)
    broken = effective.broken(session)[1]
    for section, value in repository.values(session).items():
        if section not in broken and (section in texts or section.startswith(CARE)):
            texts[section] = value
    return texts


def _answer(session: Session, key: str) -> tuple[str, Texts]:
    """(the section, its texts; none of tips that are yet to be written). Raises NotFoundError."""
    section = key if key.startswith(CARE) else f"{SECTION}{key}"
    texts = _texts(session)
    if section not in texts and not _is_known(session, section):
        raise NotFoundError("There is no such answer.")
    return section, texts.get(section, {})


def _is_known(session: Session, section: str) -> bool:
    """Whether care tips are of a category or product there is."""
    about = section.removeprefix(CARE)
    return section.startswith(CARE) and shop.topic_name(session, about, LANGUAGES[0]) is not None


def _address(section: str) -> str:
    return f"{PATH}/{section.removeprefix(SECTION)}"


def _title(desk: Desk, session: Session, section: str) -> str:
    return _titles(desk, session, [section])[section]


def _titles(desk: Desk, session: Session, sections: Collection[str]) -> dict[str, str]:
    about = [section.removeprefix(CARE) for section in sections if section.startswith(CARE)]
    names = products.product_names(session, desk.staff.language, about)
    titles = {}
    for section in sections:
        key = section.removeprefix(SECTION).removeprefix(CARE)
        if section.startswith(CARE):
            name = get_facts().category_name(key, desk.staff.language) or names.get(key, key)
            titles[section] = desk.gettext("Care tips: %(name)s", name=name)
        else:
            titles[section] = key.replace("_", " ").capitalize()
    return titles


def _page(
    desk: Desk,
    session: Session,
    section: str,
    fields: Texts,
    base: int,
    status: int = 200,
    **more: Any,
) -> Response:
    values = {
        "heading": _title(desk, session, section),
        "placeholders": knowledge.placeholder_names(effective.facts(session).facts),
        **more,
    }
    return form_page(desk, session, "settings_answer.html", section, fields, base, status, **values)
