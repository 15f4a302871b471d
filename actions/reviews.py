"""Reviews and stars, for the shop's people to read."""

from __future__ import annotations

from rasa_sdk.events import FollowupAction, SlotSet

from actions.base import CrmAction, Event, Turn
from actions.contact import answer_about_contact
from actions.satisfaction import take_satisfaction
from actions.service import ValidateTold, opening_message, said_before
from actions.talk import DefaultFallback
from actions.words import intent_button
from rapport.conversations import answers, reviews, rules

FORM = "review_form"
ASKS_FOR_STARS = {"utter_review_taken", "utter_rating_which"}
# "no, 4": what was given can be corrected right after it.
ABOUT_STARS = ASKS_FOR_STARS | {"utter_rating_low", "utter_rating_middle", "utter_rating_high"}


class AskReviewText(CrmAction):
    """What they think; or, if that was said with the wish, whether to pass it on as it is."""

    action_name = "action_ask_review_text"

    def answer(self, turn: Turn) -> list[Event]:
        told = rules.is_told(opening_message(turn.tracker, FORM))
        turn.say("utter_review_as_it_is" if told else "utter_review_what")
        return []


class ValidateReviewForm(ValidateTold):
    """A review must say something."""

    action_name = "validate_review_form"
    form = FORM
    asked_for = "review_text"
    asked = answers.REVIEW
    too_short = "utter_review_too_short"

    def answer(self, turn: Turn) -> list[Event]:
        if turn.slot("requested_slot") is None and answers_with_stars(turn):  # the form just began
            # "5 stars from me" was asked for: there is no other review to write.
            return [SlotSet("review_text", turn.text)]
        return super().answer(turn)

    def _understood(self, turn: Turn) -> answers.Answer | None:
        heard = super()._understood(turn)
        # "4", or stars drawn, say enough without a word.
        return "story" if heard == "short" and stars_given(turn) else heard


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
    """Stars for the review just written, or by themselves. A bare number may answer another question."""

    action_name = "action_rate"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        forget = SlotSet("rating", None)
        if take_satisfaction(turn):
            return [forget]
        if speaks_of_stars(turn):
            rate(turn)
            return [forget]
        asked = answer_about_contact(turn)
        return [forget, *(asked if asked is not None else DefaultFallback().answer(turn))]


def speaks_of_stars(turn: Turn) -> bool:
    """Whether stars are what is talked about: just before, by a button, or in the message's own words."""
    return (
        said_before(turn.tracker) in ABOUT_STARS
        or turn.text.startswith("/")
        or reviews.speaks_of_stars(turn.text)
    )


def rate(turn: Turn) -> None:
    """Notes the stars given, or asks for them."""
    stars = stars_given(turn) or reviews.stars_in(turn.text)
    if stars is None:
        turn.say("utter_rating_which")
        return
    written = reviews.rate(turn.session, turn.conversation, stars, turn.message_key)
    say_stars(turn, stars, written)


def answers_with_stars(turn: Turn) -> bool:
    """Whether the message gives stars right after they were asked for, and says little more."""
    asked = said_before(turn.tracker) in ASKS_FOR_STARS
    return asked and stars_given(turn) is not None and not rules.is_told(turn.text)


def stars_given(turn: Turn) -> int | None:
    """How many; in a review they may stand in words that were understood as something else."""
    return reviews.stars(turn.slot("rating") or turn.named("rating"))


def say_stars(turn: Turn, stars: int, written: bool) -> None:
    """Thanks, or says sorry and offers what else can be done; whoever wrote nothing yet may still do so."""
    if stars <= 2:
        turn.say("utter_rating_low")
        return
    buttons = [] if written else [intent_button("review", turn.language)]
    turn.say("utter_rating_high" if stars >= 4 else "utter_rating_middle", buttons=buttons)
