"""A conversation as staff read it: what was said, what the bot understood and did, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from rapport.channels.models import Delivery
from rapport.privacy.personal import HIDDEN
from rapport.privacy.sight import Sight
from rapport.transcripts import repository, rules
from rapport.transcripts.rules import Part, Sent, Understanding

PAGE = 200


@dataclass(frozen=True)
class Fate:
    """What became of a message on its way to an app; `at` is when that was heard of."""

    state: Sent
    at: datetime | None
    reason: str | None


@dataclass(frozen=True)
class Entry:
    """One message as it is shown to somebody: personal data are hidden in all of it, if they must be.

    `parts` is the text in pieces, `found` the (entity, value) pairs. `came_from` is the language spoken
    before this message, if it was another. `buttons` are (title, whether it was pressed); `pressed`: the
    customer's words are a button's. `card`: kind and lines of text of a card.
    """

    id: int
    sequence: int
    at: datetime
    author: str
    staff_id: int | None
    channel: str
    status: str
    text: str
    parts: list[Part]
    subject: str | None
    notice: str | None
    unproven: bool
    pressed: bool
    language: str | None
    came_from: str | None
    intent: str | None
    confidence: float | None
    understanding: Understanding | None
    found: list[tuple[str, str]]
    actions: list[str]
    response: str | None
    took_ms: float | None
    answered_at: datetime | None
    reply_to: int | None
    buttons: list[tuple[str, bool]]
    card: list[str]
    image: str | None
    fate: Fate | None


@dataclass(frozen=True)
class Transcript:
    """A page of a conversation. `older`: there is more before it; `newest`: nothing comes after it."""

    entries: list[Entry]
    older: bool
    newest: bool

    @property
    def first(self) -> int:
        return self.entries[0].sequence if self.entries else 0

    @property
    def last(self) -> int:
        return self.entries[-1].sequence if self.entries else 0


def page(
    session: Session,
    conversation_id: str,
    last_sequence: int,
    sight: Sight,
    before: int | None = None,
    around: int | None = None,
) -> Transcript:
    """The newest messages, those before one, or those around one."""
    if around is not None:
        before = around + PAGE // 2
    rows = repository.before(session, conversation_id, before, PAGE + 1)
    older = len(rows) > PAGE
    entries = _entries(session, conversation_id, rows[-PAGE:], sight)
    newest = not entries or entries[-1].sequence >= last_sequence
    return Transcript(entries, older, newest)


def since(session: Session, conversation_id: str, sequence: int, sight: Sight) -> list[Entry]:
    """What was said after a message."""
    # With the one before it, to see whether the language has changed.
    rows = repository.after(session, conversation_id, sequence - 1, PAGE)
    entries = _entries(session, conversation_id, rows, sight)
    return [entry for entry in entries if entry.sequence > sequence]


def _entries(session: Session, conversation_id: str, rows: Sequence[Row[Any]], sight: Sight) -> list[Entry]:
    if not rows:
        return []
    on_the_way = {
        delivery.sequence: delivery
        for delivery in repository.deliveries(session, conversation_id, rows[0].sequence, rows[-1].sequence)
    }
    pressed = _pressed(rows)
    spoken: str | None = None
    entries = []
    for row in rows:
        came_from = spoken if spoken and row.language and row.language != spoken else None
        spoken = row.language or spoken
        entries.append(_entry(row, sight, came_from, pressed, on_the_way.get(row.sequence)))
    return entries


def _pressed(rows: Sequence[Row[Any]]) -> set[tuple[int, str]]:
    """(sequence, id) of the buttons that were pressed: of each payload the latest offer before it."""
    offered: dict[tuple[str, str] | None, tuple[int, str]] = {}
    found = set()
    for row in rows:
        said = (row.payload, row.text) if row.author == "customer" else None
        if said in offered:
            found.add(offered[said])
        for button in (row.content or {}).get("buttons", ()):
            offered[button["payload"], button["title"]] = (row.sequence, button["id"])
    return found


def _entry(
    row: Row[Any],
    sight: Sight,
    came_from: str | None,
    pressed: set[tuple[int, str]],
    delivery: Delivery | None,
) -> Entry:
    text, content, entities = row.text or "", row.content or {}, row.entities or []
    hidden = [] if sight.full else rules.veiled(sight.spans(text), entities, len(text))
    parts = rules.parts(text, entities, hidden)
    subject = content.get("subject")
    return Entry(
        id=row.id,
        sequence=row.sequence,
        at=row.at,
        author=row.author,
        staff_id=row.staff_id,
        channel=row.channel,
        status=row.status,
        text="".join(part.text for part in parts),
        parts=parts,
        subject=sight.text(str(subject)) if subject else None,
        notice=content.get("notice"),
        unproven=bool(content.get("unproven")),
        pressed=row.payload is not None,
        language=row.language,
        came_from=came_from,
        intent=row.intent,
        confidence=row.confidence,
        understanding=rules.understanding(row.intent, row.confidence),
        found=[(str(entity.get("entity")), _value(entity, sight)) for entity in entities],
        actions=list(row.actions or ()),
        response=row.response,
        took_ms=row.took_ms,
        answered_at=row.answered_at,
        reply_to=row.reply_to,
        buttons=[
            (sight.text(button["title"]), (row.sequence, button["id"]) in pressed)
            for button in content.get("buttons", ())
        ],
        card=_card(content.get("card") or {}, sight),
        image=sight.text(str(content["image"])) if content.get("image") else None,
        fate=_fate(delivery, sight) if delivery else None,
    )


def _value(entity: Mapping[str, Any], sight: Sight) -> str:
    if not sight.full and entity.get("entity") in rules.PERSONAL:
        return HIDDEN
    return sight.text(str(entity.get("value", "")))


def _card(card: Mapping[str, Any], sight: Sight) -> list[str]:
    """A card in lines of text, as the widget draws it: an order's or product's names and sums, a code."""
    if not card:
        return []
    match card.get("type"):
        case "orders":
            orders = card.get("orders", ())
            lines = [f"{one.get('number')} · {one.get('total')} · {one.get('status')}" for one in orders]
        case "coupon":
            lines = [sight.secret(str(card.get("code", "")))]
        case _:
            lines = [str(card[name]) for name in ("name", "price") if card.get(name)]
    return [str(card.get("type", "")), *(sight.text(line) for line in lines)]


def _fate(delivery: Delivery, sight: Sight) -> Fate:
    state = rules.sent_state(delivery.status, delivery.delivered_at, delivery.read_at)
    times = {"read": delivery.read_at, "delivered": delivery.delivered_at, "sent": delivery.sent_at}
    reason = delivery.last_error if state in {"failed", "queued", "unknown"} else None
    return Fate(state, times.get(state), sight.text(reason) if reason else None)
