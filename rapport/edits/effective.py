"""What files and edits make together, read from a session: for pages and commands, not for every call."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.edits import repository
from rapport.kit.settings import get_settings
from rapport.loyalty.offers import rulebook
from rapport.outreach.journeys import service as journeys
from rapport.shop import facts as shop
from rapport.shop import knowledge


def facts(session: Session) -> shop.Effective:
    """The shop's facts with all edits that fit."""
    return shop.edited(shop.load_facts(get_settings().shop_file), repository.values(session))


def offers(session: Session, without: str = "") -> tuple[rulebook.Rulebook, dict[str, list[str]]]:
    """(the offers with all edits that fit, why others don't); `without` one section's."""
    edits = {section: value for section, value in repository.values(session).items() if section != without}
    return rulebook.edited(rulebook.get_rulebook_file(), facts(session).facts, edits)


def broken(session: Session) -> tuple[int, dict[str, list[str]]]:
    """(how many sections are edited, why some of them are left out). Raises ConfigurationError when a file
    is wrong by itself.
    """
    edits, made = repository.values(session), facts(session)
    answers = knowledge.misfits(get_settings().knowledge_dir, made.facts, edits)
    return len(edits), {**made.broken, **offers(session)[1], **answers, **journeys.broken(session)}
