"""What became of complaints and requests: told from the case as the shop's people left it."""

from __future__ import annotations

from collections.abc import Sequence

from actions.base import Event, PrivateAction, Turn
from rapport.cases import asking, service, words
from rapport.cases.models import Case
from rapport.kit.format import day
from rapport.loyalty.offers import gate
from rapport.shop.facts import get_facts

STATUS = "action_case_status"
MOST_TOLD = 3
RESOLVED = {
    "accepted": "utter_case_done",
    "done": "utter_case_done",
    "partly": "utter_case_partly",
    "refused": "utter_case_refused",
}
CLOSED = "utter_case_closed"
# A complaint right after one of these is about that case.
TOLD_AS_OVER = frozenset({*RESOLVED.values(), CLOSED, "utter_case_words"})


class CaseStatus(PrivateAction):
    """How far it is with a complaint or a request, or what was decided. Of this very conversation's cases it
    is told to whoever holds the conversation.
    """

    action_name = STATUS

    def perform(self, turn: Turn) -> list[Event]:
        return [] if tell_if_any(turn) else super().perform(turn)

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        turn.say("utter_no_case")
        return []


def asks_after(turn: Turn) -> bool:
    """Whether the message asks what became of a case."""
    return bool(asking.asks_after(turn.text))


def tell_if_any(turn: Turn) -> bool:
    """Tells of the cases the message may ask after; False when there are none to be told of."""
    kinds = asking.asks_after(turn.text) or ("complaint", "request", "callback")
    found = service.latest(turn.session, turn.conversation, turn.customer_id, kinds)
    tell(turn, found)
    return bool(found)


def tell(turn: Turn, found: Sequence[Case]) -> None:
    """What the state of each of these is, in words; what is not settled yet comes first."""
    open_first = sorted(found, key=lambda case: (case.resolved_at is not None, -case.id))
    for case in open_first[:MOST_TOLD]:
        what = words.about(case, turn.language)
        if case.resolved_at is None:
            response = "utter_case_waiting" if case.status == "waiting" else "utter_case_open"
            turn.say(response, what=what, case=case.id, date=_day(turn, case))
            continue
        response = RESOLVED.get(case.outcome or "", CLOSED)
        turn.say(response, what=what, case=case.id, date=_day(turn, case))
        if case.resolution and not gate.promises(case.resolution, get_facts().coupon_prefix):
            # What a colleague promised is theirs to repeat: the bot promises only what the ledger holds.
            turn.say("utter_case_words", words=case.resolution)


def _day(turn: Turn, case: Case) -> str:
    return day(case.resolved_at or case.opened_at, turn.language, get_facts().timezone)
