"""What Meta brings may be anything that is JSON: it is read or left, and never stops what comes with it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.channels.base import Report, Request
from rapport.channels.messenger import MessengerChannel
from rapport.channels.meta import LONGEST_ID, MetaChannel
from rapport.channels.whatsapp import WhatsAppChannel

OWN_ID = "1"
NAMES = """
id from from_user_id wa_id user_id type text body interactive button_reply list_reply title payload
reaction emoji edit revoke original_message_id caption image unsupported status errors code mid message
postback referral ref quick_reply attachments sticker_id message_edit num_edit delivery mids read sender
recipient timestamp is_echo is_deleted action category value
"""
KEYS = NAMES.split()
WORDS = (
    "1",
    "text",
    "interactive",
    "edit",
    "reaction",
    "react",
    "failed",
    "image",
    "unsupported",
    "\0",
    "ø\ud800",
    "x" * 300,
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from(WORDS)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


def body_of_whatsapp(things: list[Any]) -> Any:
    value = {"metadata": {"phone_number_id": OWN_ID}, "contacts": things, "messages": things}
    value |= {"statuses": things, "errors": things, "user_preferences": things}
    changes = [{"field": "messages", "value": value}, {"field": "messages", "value": things}, *things]
    return {"object": "whatsapp_business_account", "entry": [{"changes": changes}, *things]}


def body_of_messenger(things: list[Any]) -> Any:
    ends = {"sender": {"id": "2"}, "recipient": {"id": OWN_ID}}
    messaging = [*things, *({**thing, **ends} for thing in things if isinstance(thing, dict))]
    messaging.append({**ends, "delivery": {"mids": things}})
    return {"object": "page", "entry": [{"messaging": messaging}, *things]}


def holds(channel: MetaChannel, body: Any) -> None:
    raw = json.dumps(body).encode()
    for event in channel.read(Request("https://x", {}, raw)):
        ids = [event.message_id] if isinstance(event, Report) else [event.provider_id, event.sender.address]
        for one in ids:
            assert isinstance(one, str) and "\0" not in one
            one.encode()
        if not isinstance(event, Report):
            assert event.sender.address and 0 < len(event.provider_id) <= LONGEST_ID


@settings(max_examples=300, deadline=None)
@given(st.lists(ANYTHING, max_size=4))
def test_whatsapp_reads_anything(things: list[Any]) -> None:
    holds(WhatsAppChannel("s", "v", "t", OWN_ID, "http://x"), body_of_whatsapp(things))


@settings(max_examples=300, deadline=None)
@given(st.lists(ANYTHING, max_size=4))
def test_messenger_reads_anything(things: list[Any]) -> None:
    holds(MessengerChannel("s", "v", "t", OWN_ID, "http://x"), body_of_messenger(things))
