"""Corrections by staff, from a mark on a message to what the next training takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation, Message
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.kit.languages import normalise
from rapport.privacy.personal import masked
from rapport.privacy.sight import Sight, telling_words
from rapport.teaching import clusters, files, repository, rules
from rapport.teaching.files import Change
from rapport.teaching.models import Annotation
from rapport.teaching.project import ENTITIES, Project
from rapport.teaching.rules import Example
from rapport.teaching.stand_ins import without_personal_data

LOOK_BACK = timedelta(days=90)
MOST_MESSAGES = 10_000
LONGEST_REASON = 500


def correct_intent(
    session: Session, project: Project, staff_id: int, message_id: int, intent: str
) -> Annotation:
    """The customer meant this. Replaces what was said before. Raises NotFoundError, InvalidInputError, and
    ConflictError when the bot has learned from the message already.
    """
    message, conversation, name = _of_customer(session, message_id)
    if intent not in project.intents:
        raise InvalidInputError("There is no such intent.")
    language = _language(message, conversation)
    words = example_of(message.text or "", language, name)
    return _put(session, message_id, staff_id, "intent", intent, words, language, "proposed")


def correct_entity(
    session: Session, project: Project, staff_id: int, message_id: int, value: str, words: str
) -> Annotation:
    """These words of the message mean `category=tents`. Raises as `correct_intent` does.

    Personal data are no such words: they must not be learned, nor be found out by trying.
    """
    message, conversation, name = _of_customer(session, message_id)
    entity, _, of_it = value.partition("=")
    words = rules.as_example(words).lower()
    if of_it not in project.values.get(entity, ()):
        raise InvalidInputError("There is no such thing to name.")
    seen = masked(Sight(False, telling_words(name, ())).text(message.text or ""), [name] if name else [])
    if not rules.wording(words) or words not in seen.lower():
        raise InvalidInputError("These words do not stand in the message.")
    language = _language(message, conversation)
    return _put(session, message_id, staff_id, "entity", value, words, language, "proposed")


def mark_answer(session: Session, staff_id: int, message_id: int, value: str, reason: str) -> Annotation:
    """An answer of the bot was good or bad, and why. Raises NotFoundError, InvalidInputError."""
    found = repository.message(session, message_id)
    if found is None or found[0].author != "bot":
        raise NotFoundError("There is no such answer.")
    if value not in rules.ANSWERS:
        raise InvalidInputError("An answer is good or bad.")
    language = _language(found[0], found[1])
    reason = example_of(reason[:LONGEST_REASON], language, found[2])
    return _put(session, message_id, staff_id, "answer", value, reason, language, "noted")


def undo(session: Session, message_id: int, annotation_id: int) -> Annotation:
    """Takes a mark back. Raises NotFoundError, and ConflictError when it was decided already."""
    annotation = session.get(Annotation, annotation_id)
    if annotation is None or annotation.message_id != message_id:
        raise NotFoundError("There is no such mark.")
    session.expunge(annotation)
    if not repository.delete_annotation(session, annotation_id):
        raise ConflictError("That was decided already.")
    return annotation


def decide(
    session: Session, staff_id: int, ids: Collection[int], accept: bool, words: Mapping[int, str]
) -> list[Annotation]:
    """Takes or refuses corrections that no model has learned; `words` are examples as somebody rewrote them.

    What was refused can still be taken, but not when the message was corrected anew since.
    """
    decided = []
    for annotation in repository.by_ids(session, ids):
        newest = repository.of_message(session, annotation.message_id, annotation.kind)
        if annotation.status not in {"proposed", "accepted", "rejected"} or newest is not annotation:
            continue
        if annotation.id in words and annotation.kind == "intent":
            annotation.words = rules.as_example(words[annotation.id])
        annotation.status = "accepted" if accept else "rejected"
        annotation.decided_at, annotation.decided_by = clock.now(), staff_id
        decided.append(annotation)
    session.flush()
    return decided


def label(
    session: Session, project: Project, staff_id: int, message_ids: Collection[int], intent: str | None
) -> list[Annotation]:
    """All these messages mean that, which is accepted at once; None: there is nothing to learn from them.

    Raises InvalidInputError.
    """
    if intent is not None and intent not in project.intents:
        raise InvalidInputError("There is no such intent.")
    marked = []
    for message, conversation, name in repository.messages(session, message_ids):
        if message.author != "customer":
            continue
        language = _language(message, conversation)
        if intent is None:
            mark = _put(session, message.id, staff_id, "ignore", "-", "", language, "noted")
        else:
            words = example_of(message.text or "", language, name)
            mark = _put(session, message.id, staff_id, "intent", intent, words, language, "accepted")
            mark.decided_at, mark.decided_by = clock.now(), staff_id
        marked.append(mark)
    session.flush()
    return marked


def example_of(text: str, language: str, name: str | None) -> str:
    """What is learned of a message: one line, without personal data."""
    return rules.as_example(without_personal_data(text, language, [name] if name else []))


@dataclass(frozen=True)
class Unclear:
    """A message that was not understood, without personal data."""

    id: int
    text: str
    intent: str | None
    confidence: float | None
    conversation_id: str


@dataclass(frozen=True)
class Cluster:
    """Messages that mean much the same: how many, and the first of them."""

    size: int
    messages: tuple[Unclear, ...]


_clustered: dict[str, tuple[int, list[list[int]]]] = {}


def not_understood(session: Session, language: str, most: int, each: int) -> tuple[list[Cluster], int]:
    """(`most` clusters of the last months' messages in a language, the biggest first, each with its first
    `each` messages; how many messages there are in all).
    """
    rows = repository.not_understood(session, language, clock.now() - LOOK_BACK, MOST_MESSAGES)
    stamp = hash(tuple(row.id for row in rows))
    kept = _clustered.get(language)
    if kept is None or kept[0] != stamp:
        kept = (stamp, clusters.cluster([row.text or "" for row in rows]))
        _clustered[language] = kept
    found = [
        Cluster(
            len(some),
            tuple(
                Unclear(
                    row.id,
                    example_of(row.text or "", language, row.name),
                    row.intent,
                    row.confidence,
                    row.conversation_id,
                )
                for row in (rows[number] for number in some[:each])
            ),
        )
        for some in kept[1][:most]
    ]
    return found, len(rows)


@dataclass(frozen=True)
class Problem:
    """Why a correction cannot become an example: `what` as of `Known.problem`; `other` stands against it."""

    what: str
    other: Example | None


@dataclass(frozen=True)
class Plan:
    """What a training would write: the changes to the project, and what cannot be taken."""

    project: Project
    changes: tuple[Change, ...]
    taken: tuple[int, ...]
    problems: Mapping[int, Problem]

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """All files with the changes."""
        texts = dict(self.project.texts)
        for change in self.changes:
            texts[change.file] = files.add(texts.get(change.file, ""), [change])
        return texts

    @property
    def diff(self) -> str:
        """What would be changed, to look at."""
        return files.diff(self.project.texts, self.texts)


def plan(project: Project, accepted: Sequence[Annotation]) -> Plan:
    """What becomes of accepted corrections; writes nothing. Raises InvalidInputError for words that would
    break the format of the files.
    """
    known, synonyms = project.known(), dict(project.synonyms)
    problems: dict[int, Problem] = {}
    changes, taken = [], []
    for annotation in accepted:
        words = annotation.words
        if annotation.kind == "intent":
            example = Example(annotation.value, annotation.language, words)
            against = known.problem(example)
            if against is not None:
                problems[annotation.id] = Problem(*against)
                continue
            known.learn(example)
            file = files.file_for(project.places, "intent", example.intent, example.language)
            change = Change(file, "intent", example.intent, example.language, words)
        else:
            value = annotation.value.partition("=")[2]
            other = synonyms.get(words)
            if other is not None:
                what = "known" if other == value else "conflict"
                problems[annotation.id] = Problem(what, Example(other, annotation.language, words))
                continue
            synonyms[words] = value
            change = Change(ENTITIES, "synonym", value, "", words)
        files.check_line(change.text)
        changes.append(change)
        taken.append(annotation.id)
    return Plan(project, tuple(changes), tuple(taken), problems)


def _of_customer(session: Session, message_id: int) -> tuple[Message, Conversation, str | None]:
    found = repository.message(session, message_id)
    if found is None or found[0].author != "customer":
        raise NotFoundError("There is no such message.")
    return found


def _language(message: Message, conversation: Conversation) -> str:
    return normalise(message.language) or conversation.language


def _put(
    session: Session,
    message_id: int,
    staff_id: int,
    kind: str,
    value: str,
    words: str,
    language: str,
    status: str,
) -> Annotation:
    """One mark of a kind on a message, by whoever said it last."""
    mark = repository.of_message(session, message_id, kind)
    if mark is not None and mark.status == "applied":
        raise ConflictError("The bot has learned from this message already.")
    if mark is None or mark.status == "rejected":
        mark = Annotation(message_id=message_id, kind=kind, created_at=clock.now())
        session.add(mark)
    mark.staff_id, mark.value, mark.words = staff_id, value, words
    mark.language, mark.status = language, status
    mark.decided_at = mark.decided_by = None
    session.flush()
    return mark
