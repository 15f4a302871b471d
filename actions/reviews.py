"""Reviews and stars, for the shop's people to read."""

from __future__ import annotations

from typing import Any

from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.interfaces import Tracker

from actions.base import Check, CrmAction, Event, FormValidation, Turn
from actions.service import opening_message
from actions.words import intent_button
from rapport.conversations import reviews, rules

FORM = "review_form"
SHORTEST_REVIEW = 2
ASKS_FOR_STARS = {"utter_review_taken", "utter_rating_which"}


class AskReviewText(CrmAction):
    """What they think; or, if that was said with the wish, whether to pass it on as it is."""

    action_name = "action_ask_review_text"

    def answer(self, turn: Turn) -> list[Event]:
        told = reviews.is_told(opening_message(turn.tracker, FORM))
        turn.say("utter_review_as_it_is" if told else "utter_review_what")
        return []


class ValidateReviewForm(FormValidation):
    """A review must say something. A yes means what was said at the start."""

    action_name = "validate_review_form"

    def checks(self) -> dict[str, Check]:
        return {"review_text": self._check_text}

    def answer(self, turn: Turn) -> list[Event]:
        if turn.slot("requested_slot") is None and answers_with_stars(turn):  # the form just began
            # "5 stars from me" was asked for: there is no other review to write.
            return [SlotSet("review_text", (turn.tracker.latest_message or {}).get("text"))]
        return super().answer(turn)

    def _check_text(self, turn: Turn) -> dict[str, Any]:
        text, opening = turn.slot("review_text") or "", opening_message(turn.tracker, FORM)
        if turn.intent == "affirm":
            if reviews.is_told(opening):
                return {"review_text": opening}
            turn.say("utter_form_continue")
        elif len(text) >= SHORTEST_REVIEW:
            return {"review_text": text}
        else:
            turn.say("utter_review_too_short")
        return {"review_text": None}


class TakeReview(CrmAction):
    """Keeps the review, thanks, and asks for stars unless they came with it."""

    action_name = "action_take_review"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        text = turn.slot("review_text")
        if text is None:
            return [FollowupAction(FORM)]
        forget = [SlotSet("review_text", None), SlotSet("rating", None)]
        if answers_with_stars(turn):
            rate(turn)
            return forget
        story = rules.complaint_story(opening_message(turn.tracker, FORM), text)
        stars = stars_given(turn)
        reviews.take(turn.session, turn.conversation, story, stars, turn.message_key)
        if turn.intent == "complaint":
            turn.say("utter_review_critical")
        elif stars is None:
            turn.say("utter_review_taken")
        else:
            say_stars(turn, stars, written=True)
        return forget


class Rate(CrmAction):
    """Stars for the review just written, or by themselves."""

    action_name = "action_rate"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        rate(turn)
        return [SlotSet("rating", None)]


def rate(turn: Turn) -> None:
    """Notes the stars given, or asks for them."""
    stars = stars_given(turn)
    if stars is None:
        turn.say("utter_rating_which")
        return
    written = reviews.rate(turn.session, turn.conversation, stars, turn.message_key)
    say_stars(turn, stars, written)


def answers_with_stars(turn: Turn) -> bool:
    """Whether the message gives stars right after they were asked for, and says little more."""
    text = (turn.tracker.latest_message or {}).get("text")
    asked = said_before(turn.tracker) in ASKS_FOR_STARS
    return asked and stars_given(turn) is not None and not reviews.is_told(text)


def said_before(tracker: Tracker) -> str | None:
    """The last response before the latest message."""
    said: str | None = None
    before: str | None = None
    for event in tracker.events:
        if event["event"] == "bot":
            said = (event.get("metadata") or {}).get("utter_action")
        elif event["event"] == "user":
            before = said
    return before


def stars_given(turn: Turn) -> int | None:
    """How many; in a review they may stand in words that were understood as something else."""
    return reviews.stars(turn.slot("rating") or next(turn.tracker.get_latest_entity_values("rating"), None))


def say_stars(turn: Turn, stars: int, written: bool) -> None:
    """Thanks, or says sorry and offers what else can be done; whoever wrote nothing yet may still do so."""
    if stars <= 2:
        turn.say("utter_rating_low")
        return
    buttons = [] if written else [intent_button("review", turn.language)]
    turn.say("utter_rating_high" if stars >= 4 else "utter_rating_middle", buttons=buttons)
