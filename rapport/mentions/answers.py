"""Deciding an answer, once: by itself where the shop allows it, else by staff. tasks.py sends it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.kit.upsert import add_once
from rapport.mentions import repository, rules, words
from rapport.mentions.base import Source
from rapport.mentions.models import Mention, MentionAnswer
from rapport.mentions.rules import Circumstances
from rapport.privacy.sight import telling_words
from rapport.shop.facts import get_facts


class GivesAwayError(InvalidInputError):
    """An answer says something that does not belong there; `what` it is, in the words of the rules."""

    def __init__(self, what: tuple[str, ...]) -> None:
        super().__init__("The answer says what must not stand in public.")
        self.what = what


def what_it_gives_away(session: Session, mention: Mention, text: str) -> tuple[str, ...]:
    """What in a public answer to this mention must not stand there."""
    customer = session.get(Customer, mention.customer_id) if mention.customer_id else None
    names: tuple[str, ...] = ()
    if customer is not None:
        addresses = [one.value for one in customer.identities if one.kind == "email"]
        names = telling_words(customer.name, addresses)
    return rules.gives_away(text, names, mention.author, words.common())


def answer_by_itself(session: Session, source: Source, mention: Mention) -> None:
    """Queues the suggested answer to something that just came in, if the shop allows that for its kind."""
    it = Circumstances(
        kind=mention.kind,
        confidence=mention.confidence or 0.0,
        # Meta does not always say who wrote: it may be ourselves, and we would answer for ever.
        addressed=mention.addressed and bool(mention.author_id),
        at=mention.at,
        reachable=source.public,
        trouble=repository.has_trouble(session, mention),
        answered_at=repository.last_answered(session, mention),
    )
    if not rules.may_go_by_itself(it, get_facts().mentions.answer, clock.now()):
        return
    if not mention.suggestion or what_it_gives_away(session, mention, mention.suggestion):
        return
    _queue(session, mention, f"auto:{mention.id}", mention.suggestion, private=False, staff_id=None)


def send(
    session: Session,
    source: Source,
    mention_id: int,
    version: int,
    staff_id: int,
    text: str,
    private: bool = False,
) -> MentionAnswer:
    """Queues what staff wrote. Raises NotFoundError, ConflictError when the mention changed since they
    looked, InvalidInputError, and GivesAwayError for what must not stand there.

    A private answer may say more, but only to an account of which we know whose it is.
    """
    mention = hold(session, mention_id, version)
    if mention.removed_at is not None or not (source.private if private else source.public):
        raise ConflictError("This cannot be answered there.")
    text = rules.checked_answer(text, source.longest)
    if not private or mention.customer_id is None:
        found = what_it_gives_away(session, mention, text)
        if found:
            raise GivesAwayError(found)
    repository.cancel(session, mention.id, "staff answered")
    key = f"staff:{mention.id}:{mention.version}"
    mention.version += 1
    return _queue(session, mention, key, text, private, staff_id)


def hold(session: Session, mention_id: int, version: int | None) -> Mention:
    """The mention, locked. Raises NotFoundError, and ConflictError when it has another version by now."""
    mention = repository.lock(session, mention_id)
    if mention is None:
        raise NotFoundError("There is no such mention.")
    if version is not None and mention.version != version:
        raise ConflictError("The mention changed meanwhile. Nothing of yours was stored.")
    return mention


def cancel(session: Session, mention_id: int, why: str) -> None:
    """Gives up what is not sent yet."""
    repository.cancel(session, mention_id, why)


def _queue(
    session: Session, mention: Mention, key: str, text: str, private: bool, staff_id: int | None
) -> MentionAnswer:
    now = clock.now()
    answer = MentionAnswer(
        key=key,
        mention_id=mention.id,
        source=mention.source,
        private=private,
        text=text,
        staff_id=staff_id,
        status="queued",
        attempts=0,
        next_attempt_at=now,
        created_at=now,
    )
    if not add_once(session, answer):
        raise ConflictError("That answer was decided already.")
    session.flush()
    return answer
