"""What a person says: stored once, delivered, told to the bot before its next turn. On both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.channels import inbound
from rapport.channels.base import MAX_TEXT, Sender, Stopped
from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import Customer
from rapport.handoff import service
from rapport.handoff.service import UnreachableError
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import InvalidInputError
from tests.channels import people
from tests.console.client import add_staff
from tests.console.talks import talk
from tests.conversations.conftest import MakeTurns, new_conversation, receive, said
from tests.fake_rasa import FakeRasa

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


def say(engine: Engine, conversation_id: str, staff_id: int, text: str, client_id: str | None = None) -> int:
    with session_scope(engine) as session:
        conversation = session.get_one(Conversation, conversation_id)
        return service.say(session, conversation, staff_id, text, client_id).id


def test_a_double_click_says_it_once_and_the_bot_is_told_before_its_turn(
    engine: Engine, rasa: FakeRasa, make_turns: MakeTurns
) -> None:
    turns = make_turns()
    staff_id, conversation_id = add_staff(engine, "agent"), new_conversation(engine, "nb")
    first = say(engine, conversation_id, staff_id, "  Hei!\r\nJeg ser på det. ", "click")
    assert say(engine, conversation_id, staff_id, "Hei!\nJeg ser på det.", "click") == first
    receive(engine, conversation_id, "takk")
    assert rasa.told == {}
    turns.take(conversation_id)
    told = {"message_id": str(first), "author": "staff", "text": "Hei!\nJeg ser på det.", "steps_in": False}
    assert rasa.told == {conversation_id: [told]}
    receive(engine, conversation_id, "en ting til")
    turns.take(conversation_id)
    assert rasa.told == {conversation_id: [told]}
    assert said(engine, conversation_id)[0] == ("staff", "Hei!\nJeg ser på det.")
    with read_scope(engine) as session:
        message = session.get_one(Message, first)
        assert (message.staff_id, message.language, message.status) == (staff_id, "nb", "stored")


def test_what_cannot_be_told_now_is_told_later(engine: Engine, rasa: FakeRasa, make_turns: MakeTurns) -> None:
    staff_id, conversation_id = add_staff(engine, "agent"), new_conversation(engine)
    say(engine, conversation_id, staff_id, "The parcel is on its way.")
    receive(engine, conversation_id, "thanks")
    rasa.status = 503
    with pytest.raises(Exception, match="503"):
        make_turns().take(conversation_id)
    rasa.status = 200
    make_turns().take(conversation_id)  # another process
    assert [message["text"] for message in rasa.told[conversation_id]] == ["The parcel is on its way."]
    assert rasa.texts(conversation_id) == ["thanks"]


@pytest.mark.parametrize("text", ["", " \n ", "x" * (MAX_TEXT + 1)])
def test_nothing_and_too_much_are_refused(engine: Engine, text: str) -> None:
    staff_id, conversation_id = add_staff(engine, "agent"), new_conversation(engine)
    with pytest.raises(InvalidInputError):
        say(engine, conversation_id, staff_id, text)


@pytest.mark.parametrize(
    ("channel", "hours", "why"),
    [("whatsapp", 23, None), ("whatsapp", 25, "window"), ("telegram", 900, None), ("email", 900, None)],
)
def test_messaging_apps_get_it_while_they_take_it(
    engine: Engine, channel: str, hours: int, why: str | None
) -> None:
    staff_id = add_staff(engine, "agent")
    conversation_id = talk(engine, ("customer", "hello"), at=NOON, channel=channel)
    with session_scope(engine) as session:
        customer = Customer(language="en")
        session.add(customer)
        session.flush()
        point = ContactPoint(
            channel=channel,
            address="41",
            conversation_id=conversation_id,
            customer_id=customer.id,
            last_inbound_at=NOON,
        )
        session.add(point)
    with clock.freeze(NOON + timedelta(hours=hours)):
        if why is None:
            say(engine, conversation_id, staff_id, "Hello, Ada here.")
        else:
            with pytest.raises(UnreachableError) as refused:
                say(engine, conversation_id, staff_id, "Hello, Ada here.")
            assert refused.value.reach.why == why
    with read_scope(engine) as session:
        deliveries = session.execute(select(Delivery.sequence, Delivery.asked, Delivery.channel)).all()
    assert [tuple(row) for row in deliveries] == ([] if why else [(2, True, channel)])


def test_after_stop_nothing_is_sent_until_they_write_again(engine: Engine) -> None:
    staff_id = add_staff(engine, "agent")

    def heard(text: str | None) -> str | None:
        """What hinders an answer after they wrote that; None: they ended it at their provider."""
        with session_scope(engine) as session:
            if text is None:
                ended = Stopped(Sender("41"), "ended")
                inbound.take(session, people.SMS, ended, people.NO_LIMITS)
            else:
                people.write(session, people.SMS, "41", text)
            return service.reach(session, people.talk_of(session, people.SMS, "41")).why

    assert heard("my tent leaks") is None
    assert heard(None) is None, "what ends advertising only is no word to a person"
    assert heard("Stopp!") == "stopped"
    assert heard("STOP") == "stopped", "also what is not confirmed again"
    assert heard(None) == "stopped"
    with session_scope(engine) as session:
        conversation_id = people.talk_of(session, people.SMS, "41").id
    with pytest.raises(UnreachableError) as refused:
        say(engine, conversation_id, staff_id, "Hello, Ada here.")
    assert refused.value.reach.why == "stopped"
    assert heard("no, wait") is None
    say(engine, conversation_id, staff_id, "Hello, Ada here.")
