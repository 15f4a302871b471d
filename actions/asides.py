"""Public questions that sound like a request or like a part of one: "can you wrap it as a gift?"."""

from __future__ import annotations

from actions.base import Turn
from actions.knowledge import answer_topic, leads_to
from rapport.conversations import rules
from rapport.shop.phrases import words

# "By the way, I lost the return label" is a remark; with more beside the topic's words, something is told.
MOST_BESIDE_TOPIC = 4


def words_beside(turn: Turn, *kinds: str) -> int | None:
    """How many words the latest message has beside those that name something of `kinds` (entities); None when
    it names none.
    """
    message = turn.tracker.latest_message or {}
    found = [entity for entity in message.get("entities") or [] if "start" in entity]
    places = [(x["start"], x["end"]) for x in found if x["entity"] in kinds]
    rest = list(str(message.get("text") or ""))
    for start, end in places:
        rest[start:end] = " " * (end - start)  # as many letters, or the next one's place would be another
    return len(words("".join(rest))) if places else None


def only_remarks(turn: Turn, kind: str) -> bool:
    """Whether a message hardly does more than name a topic on how a request of this kind is done: that is no
    reason for it.
    """
    beside = words_beside(turn, "topic")
    return beside is not None and beside <= MOST_BESIDE_TOPIC and leads_to(turn, kind)


def answer_instead(turn: Turn, kind: str) -> bool:
    """Answers what is understood as a request but asks about the shop; False where it is one.

    Who names an order means that order.
    """
    if turn.text.startswith("/") or turn.named("order_number") or not turn.named("topic"):
        return False
    asks_how = kind == "change_order" and not rules.names_order(turn.text)
    return (asks_how or only_remarks(turn, kind)) and answer_topic(turn)
