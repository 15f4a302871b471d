"""What someone likes, how they want to be reached, and what we hold about them."""

from __future__ import annotations

from rasa_sdk.events import FollowupAction, SlotSet

from actions.back_in_stock import BACK, TellWhenBack
from actions.base import CrmAction, Event, PrivateAction, Turn
from actions.words import channel_name, language_name, yes_or_no
from rapport.customers import contact, rules
from rapport.customers import service as customers
from rapport.customers.contact import Wishes
from rapport.kit.format import day, number
from rapport.kit.settings import get_settings
from rapport.preferences import links
from rapport.shop import service as shop
from rapport.shop.facts import get_facts

UNKNOWN = "–"


class RecordInterest(CrmAction):
    """Notes the products or categories someone likes; anonymous visitors may say so as well."""

    action_name = "action_record_interest"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        if turn.named("wish") == BACK:
            return [FollowupAction(TellWhenBack.action_name)]
        named = {topic: shop.topic_name(turn.session, topic, turn.language) for topic in _topics(turn)}
        known = {topic: name for topic, name in named.items() if name}
        for topic in known:
            customers.record_interest(turn.session, turn.conversation, topic)
        if known:
            turn.say("utter_interest_recorded", interest=", ".join(known.values()))
        else:
            turn.say("utter_interest_which")
        return [SlotSet("product", None), SlotSet("category", None)]


def _topics(turn: Turn) -> list[str]:
    """What the message names. A slot holds one, but people like "boots and sleeping bags"."""
    for kind in ("product", "category"):
        said = list(dict.fromkeys(turn.tracker.get_latest_entity_values(kind)))
        if said:
            return said
    slot = turn.slot("product") or turn.slot("category")
    return [slot] if slot else []


class SetChannel(PrivateAction):
    """Notes the channel a customer wants to be reached on, and those they don't want."""

    action_name = "action_set_channel"
    writes = True

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        refused = [channel for channel in _said(turn, "refused_channel") if channel in rules.REFUSABLE]
        # Whatever is named first and not refused: "I never read my mail, use SMS".
        wanted = [channel for channel in _said(turn, "channel") if channel in rules.REFUSABLE]
        preferred = next((channel for channel in wanted if channel not in refused), None)
        if preferred or refused:
            contact.set_channels(turn.session, customer_id, preferred, refused, turn.message_key)
        _say_channels(turn, customer_id, preferred, refused)
        return [SlotSet("channel", None), SlotSet("refused_channel", None)]


def _said(turn: Turn, slot: str) -> list[str]:
    """All that the message named for a slot, each once."""
    value = turn.tracker.slots.get(slot) or []
    return list(dict.fromkeys(value if isinstance(value, list) else [value]))


def offer_page(turn: Turn, customer_id: int) -> None:
    """Where they see and change what they hear from us: only for who has shown who they are."""
    minutes = int(links.LIFE["chat"].total_seconds() // 60)
    link = links.chat_url(get_settings(), customer_id, turn.language)
    turn.say("utter_choices_page", link=link, minutes=number(minutes, turn.language))


def _say_channels(turn: Turn, customer_id: int, preferred: str | None, refused: list[str]) -> None:
    channel = channel_name(preferred, turn.language) if preferred else ""
    others = ", ".join(channel_name(name, turn.language) for name in refused)
    if preferred and refused:
        turn.say("utter_channel_changed", channel=channel, refused=others)
    elif preferred:
        turn.say("utter_channel_recorded", channel=channel)
    elif refused:
        turn.say("utter_channel_refused", refused=others)
    else:
        offer_page(turn, customer_id)
        turn.say("utter_channel_which")
        return
    offer_page(turn, customer_id)


class ShowPreferences(PrivateAction):
    """Reads back what the customer told us."""

    action_name = "action_show_preferences"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        held = customers.preferences(turn.session, customer_id)
        wishes = contact.wishes(turn.session, customer_id)
        known = held.name or held.channel or held.interests or held.language
        if known:
            names = (shop.topic_name(turn.session, topic, turn.language) or topic for topic in held.interests)
            turn.say(
                "utter_preferences",
                name=held.name or UNKNOWN,
                channel=channel_name(held.channel, turn.language) if held.channel else UNKNOWN,
                interests=", ".join(names) or UNKNOWN,
                language=language_name(held.language, turn.language) if held.language else UNKNOWN,
            )
        if wishes:
            _say_wishes(turn, wishes)
        offer_page(turn, customer_id)
        if not known and not wishes:
            turn.say("utter_preferences_none")
        return []


def _say_wishes(turn: Turn, wishes: Wishes) -> None:
    until = wishes.paused_until
    turn.say(
        "utter_contact_wishes",
        newsletter=yes_or_no(wishes.newsletter, turn.language),
        count=number(wishes.per_month, turn.language) if wishes.per_month else UNKNOWN,
        date=day(until, turn.language, get_facts().timezone) if until else UNKNOWN,
        refused=", ".join(channel_name(name, turn.language) for name in wishes.refused) or UNKNOWN,
    )
