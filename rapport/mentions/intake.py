"""Taking what sources tell: stored once, changed as its author changes it, a case where one is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.cases import opening
from rapport.cases import repository as cases
from rapport.cases import rules as case_rules
from rapport.cases.models import Case
from rapport.conversations import language as languages
from rapport.kit import clock
from rapport.kit.errors import InvalidInputError
from rapport.kit.languages import normalise
from rapport.kit.upsert import add_once
from rapport.mentions import answers, classify, repository, rules, words
from rapport.mentions.base import Event, Removed, Said, Source
from rapport.mentions.classify import Verdict
from rapport.mentions.models import Mention
from rapport.shop.facts import get_facts

# What stands in a case instead of what its author took back.
TAKEN_BACK = "–"


@dataclass(frozen=True)
class Reading:
    """The language of a text, and what kind of mention it is."""

    language: str
    verdict: Verdict


def read(event: Event) -> Reading | None:
    """What a text says; before the transaction, for it takes a moment. None where there is no text."""
    if isinstance(event, Removed):
        return None
    text = event.text[: rules.LONGEST_TEXT]
    language = languages.follow(text, normalise(event.language) or get_facts().language)
    return Reading(language, classify.classify(text, language))


def take(session: Session, source: Source, event: Event, reading: Reading | None) -> Mention | None:
    """Store what a source tells; the same again changes nothing. Returns what is new or changed, or None."""
    if isinstance(event, Removed):
        return _remove(session, source, event)
    assert reading is not None
    mention = _new(source, event, reading)
    if add_once(session, mention):
        _place(session, mention)
        if mention.kind in rules.NEED_PEOPLE:
            open_case(session, mention)
        answers.answer_by_itself(session, source, mention)
        return mention
    return _change(session, source, event, reading)


def open_case(session: Session, mention: Mention, staff_id: int | None = None) -> Case:
    """Something for people to look at; in the author's conversation where they have one with us."""
    point = repository.contact_point(session, mention)
    case = Case(
        kind="mention",
        text=(mention.text or TAKEN_BACK)[: case_rules.LONGEST_TEXT],
        language=mention.language,
        priority=rules.PRIORITY.get(mention.kind, "normal"),
        source_url=mention.url,
        contact=mention.author[: case_rules.LONGEST_CONTACT] or None,
        customer_id=mention.customer_id,
        conversation_id=point.conversation_id if point else None,
        message_key=f"mention:{mention.id}:{mention.version}",
    )
    opening.begin(session, case, staff_id)
    mention.case_id = case.id
    if mention.state in {"new", "noted"}:
        mention.state = "case"
    session.flush()
    return case


def _new(source: Source, said: Said, reading: Reading) -> Mention:
    return Mention(
        source=source.name,
        source_id=said.source_id,
        author=said.author[:200],
        author_id=said.author_id[:200],
        text=said.text[: rules.LONGEST_TEXT],
        language=reading.language,
        url=_safe_url(said.url),
        at=said.at,
        visibility=said.visibility,
        addressed=said.addressed,
        details=dict(said.details),
        kind=reading.verdict.kind,
        confidence=reading.verdict.confidence,
        state="new",
        suggestion=words.suggestion(reading.verdict.kind, reading.language, said.source_id),
        edited_at=said.changed_at,
    )


def _safe_url(url: str | None) -> str | None:
    """Only what leads to a web page is ever made a link."""
    try:
        return case_rules.checked_url(url or "")
    except InvalidInputError:
        return None


def _place(session: Session, mention: Mention) -> None:
    """Whose it is: the account's contact point says so, or staff said so of the account before."""
    point = repository.contact_point(session, mention)
    if point is not None:
        mention.customer_id = point.customer_id
    else:
        linked = repository.linked_before(session, mention)
        if linked is not None:
            mention.customer_id, mention.linked_by = linked.customer_id, linked.linked_by
    session.flush()


def _change(session: Session, source: Source, said: Said, reading: Reading) -> Mention | None:
    mention = repository.lock_named(session, source.name, said.source_id)
    if mention is None or mention.removed_at is not None:
        return None
    # Found by searching first, and then in what was written to us.
    mention.addressed = mention.addressed or said.addressed
    text = said.text[: rules.LONGEST_TEXT]
    if (
        said.changed_at is None
        or text == mention.text
        or said.changed_at <= (mention.edited_at or mention.at)
    ):
        return None
    mention.text, mention.edited_at, mention.language = text, said.changed_at, reading.language
    mention.version += 1
    if mention.confidence is not None:  # what staff said it is stays
        mention.kind, mention.confidence = reading.verdict.kind, reading.verdict.confidence
    mention.suggestion = words.suggestion(mention.kind, mention.language, mention.source_id)
    # What staff wrote they look after themselves.
    repository.cancel(session, mention.id, "its author changed the mention", by_itself=True)
    if mention.case_id is not None:
        _tell_case(session, mention.case_id, "edited", text)
    elif mention.kind in rules.NEED_PEOPLE:
        open_case(session, mention)
    session.flush()
    return mention


def _remove(session: Session, source: Source, event: Removed) -> Mention | None:
    mention = repository.lock_named(session, source.name, event.source_id)
    if mention is None:
        # It may still come: a source that could not reach us tries again, in whatever order.
        add_once(session, _gone(source, event))
        return None
    if mention.removed_at is not None:
        return None
    mention.text, mention.suggestion, mention.removed_at = "", "", event.at
    mention.version += 1
    if mention.state == "new":
        mention.state = "gone"
    answers.cancel(session, mention.id, "its author took the mention back")
    if mention.case_id is not None:
        _tell_case(session, mention.case_id, "removed", TAKEN_BACK)
    session.flush()
    return mention


def _gone(source: Source, event: Removed) -> Mention:
    return Mention(
        source=source.name,
        source_id=event.source_id,
        author="",
        text="",
        language=get_facts().language,
        at=event.at,
        kind="neutral",
        confidence=0.0,
        state="gone",
        removed_at=event.at,
    )


def _tell_case(session: Session, case_id: int, what: str, text: str) -> None:
    """The case's own copy follows; its history keeps that it changed, not what it said before."""
    case = cases.lock(session, case_id)
    if case is not None:
        case.text = text[: case_rules.LONGEST_TEXT]
        case.version += 1
        session.flush()
        cases.add_event(session, case, what, None)


def checked_soon(session: Session, source: str, now: datetime) -> list[str]:
    """The source's ids of mentions to be looked at again; they count as looked at from now on."""
    found = repository.longest_unchecked(session, source, now)
    for mention in found:
        mention.checked_at = clock.now()
    session.flush()
    return [mention.source_id for mention in found]
