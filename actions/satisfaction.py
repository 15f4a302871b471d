"""Thanks and goodbyes, and how the customer found the help they got."""

from __future__ import annotations

from actions.base import CrmAction, Event, Turn
from rapport.insight import rules, service


class Thanked(CrmAction):
    """You're welcome; and whoever was helped is asked, now and then, how that was."""

    action_name = "action_thanked"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        turn.say("utter_thanked")
        _ask(turn)
        return []


class Goodbye(CrmAction):
    """Bye; the same question."""

    action_name = "action_goodbye"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        turn.say("utter_goodbye")
        _ask(turn)
        return []


def _ask(turn: Turn) -> None:
    in_form = turn.tracker.active_loop_name is not None
    if service.bot_asks(turn.session, turn.conversation, turn.message_key, in_form):
        turn.say("utter_satisfaction_ask")


def take_satisfaction(turn: Turn) -> bool:
    """Keeps the score of a tap, or of a number typed right after the question; False if it is none."""
    score = rules.checked_score(turn.named("satisfaction"))
    if score is None and not turn.text.startswith("/"):
        score = rules.score_in(turn.text)
        if score is None or not service.is_asked(turn.session, turn.conversation):
            return False
    if score is None:
        return False
    service.rate(turn.session, turn.conversation, score, turn.message_key)
    turn.say(
        "utter_satisfaction_high"
        if score >= 4
        else "utter_satisfaction_low"
        if score <= 2
        else "utter_satisfaction_middle"
    )
    return True
