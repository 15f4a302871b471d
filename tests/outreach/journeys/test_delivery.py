"""What goes into conversations in messaging apps, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from rapport.channels import outbound
from rapport.channels.base import Part, Target, Template
from rapport.channels.models import ContactPoint, Delivery
from rapport.channels.sending import Sender
from rapport.conversations import repository as conversations
from rapport.conversations.models import Conversation, Message
from rapport.customers import contact
from rapport.customers.models import ConsentEvent, ContactPolicy, Customer
from rapport.insight import service as insight
from rapport.insight.models import Satisfaction
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import get_settings
from rapport.outreach.journeys import tasks
from rapport.outreach.journeys.definition import Journey, Trigger, load_all
from rapport.outreach.journeys.models import JourneyStep
from rapport.preferences import links
from tests.channels.people import WhatsApp
from tests.conversations.conftest import MakeTurns, receive
from tests.fake_rasa import FakeRasa
from tests.outreach.journeys.conftest import Use
from tests.outreach.journeys.walk import (
    NOW,
    agree,
    begin,
    decisions,
    in_app,
    journey,
    mails,
    person,
    step,
    steps,
)


def on(channel: str, **more: Any) -> Journey:
    return journey(step(short="Refill, {name}?", channels=[channel], **more))


def reached(session: Session, one: Journey, channel: str = "telegram", hours_ago: int = 1) -> Conversation:
    """Somebody on the journey who agreed to hear from us in this app."""
    ann = person(session, agrees=False)
    agree(session, ann, channel=channel)
    talk = in_app(session, ann, channel, NOW - timedelta(hours=hours_ago))
    begin(session, one, ann)
    return talk


def test_a_message_is_stored_queued_unasked_and_told_to_the_bot(
    engine: Engine, use: Use, rasa: FakeRasa, make_turns: MakeTurns
) -> None:
    one = use(on("telegram", next=["reorder"]))
    with session_scope(engine) as session:
        talk = reached(session, one)
    outbound.queued.clear()
    assert tasks.decide_due(engine) == {"send": 1}
    assert outbound.queued.is_set()
    with read_scope(engine) as session:
        message = session.scalars(select(Message)).one()
        delivery = session.scalars(select(Delivery)).one()
        row = session.scalars(select(JourneyStep)).one()
        untold = conversations.untold(session, talk.id, message.sequence + 1)
        assert (message.text, message.author, message.status) == ("Refill, Ann?", "bot", "untold")
        assert message.content["journey"] == "test"
        assert [button["payload"] for button in message.content["buttons"]] == ["/reorder"]
        assert [told.id for told in untold] == [message.id]
        assert (delivery.sequence, delivery.channel, delivery.asked) == (1, "telegram", False)
        assert (row.channel, row.reference) == ("telegram", f"message:{message.id}")
    assert mails(engine) == []
    receive(engine, talk.id, "yes please")
    make_turns().take(talk.id)
    [told] = rasa.told[talk.id]
    assert (told["author"], told["text"], told["steps_in"]) == ("journey", "Refill, Ann?", False)
    assert told["next"] == "reorder"


def test_the_question_after_a_complaint_is_answered_with_one_tap(engine: Engine, use: Use) -> None:
    one = use(load_all()["complaint_solved"].model_copy(update={"trigger": Trigger(on="none")}))
    with session_scope(engine) as session:
        talk = in_app(session, person(session, None, agrees=False, language="nb"))
        begin(session, one, talk.customer_id or 0)
    assert tasks.decide_due(engine) == {"send": 1}  # without any consent: it belongs to the complaint
    with session_scope(engine) as session:
        message = session.scalars(select(Message)).one()
        assert message.text is not None
        assert message.text.startswith("Hei, Ann! Så vidt vi vet")
        buttons = message.content["buttons"]
        assert [button["title"][0] for button in buttons] == list("54321")
        assert buttons[0]["payload"] == '/inform_rating{"satisfaction": "5"}'
        talk = session.get_one(Conversation, talk.id)
        assert insight.is_asked(session, talk)
        insight.rate(session, talk, 5, "tap")
        [given] = session.scalars(select(Satisfaction))
        assert (given.score, given.handled_by, given.message_key) == (
            5,
            "person",
            f"journey:{_step(session)}",
        )


def _step(session: Session) -> int:
    return session.scalars(select(JourneyStep.id)).one()


@pytest.mark.parametrize("status", ["human", "waiting"])
def test_nothing_goes_into_a_conversation_that_a_person_has_or_is_to_have(
    engine: Engine, use: Use, status: str
) -> None:
    one = use(on("telegram"))
    with session_scope(engine) as session:
        talk = reached(session, one)
        talk.status = status
    assert tasks.decide_due(engine) == {"later": 1}
    assert decisions(engine) == [("first", "later", "handled_by_staff")]
    with read_scope(engine) as session:
        assert session.scalars(select(Message)).all() == []
        assert session.scalars(select(JourneyStep)).one().due_at > NOW


def test_what_was_refused_before_it_arrived_is_cancelled_and_no_question_to_them(
    engine: Engine, use: Use, rasa: FakeRasa, make_turns: MakeTurns
) -> None:
    one = use(on("telegram", next=["reorder"]))
    with session_scope(engine) as session:
        talk = reached(session, one)
    tasks.decide_due(engine)
    with session_scope(engine) as session:
        contact.unsubscribe(session, talk.customer_id or 0, "talk:1")
        assert session.scalars(select(Delivery.status)).all() == ["cancelled"]
    receive(engine, talk.id, "yes")
    make_turns().take(talk.id)
    assert talk.id not in rasa.told
    with read_scope(engine) as session:
        assert conversations.untold(session, talk.id, 9) == []


class OfTemplates(WhatsApp):
    """Keeps those that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.templates: list[Template] = []

    def send(self, target: Target, part: Part) -> str:
        assert part.template is not None
        self.templates.append(part.template)
        return super().send(target, part)


def test_outside_the_window_only_the_approved_template_goes_out(engine: Engine, use: Use) -> None:
    one = use(on("whatsapp", template="refill", parameters=["name", "shop", "preferences"]))
    with session_scope(engine) as session:
        reached(session, one, "whatsapp", hours_ago=25)
    assert tasks.decide_due(engine) == {"send": 1}
    with read_scope(engine) as session:
        message = session.scalars(select(Message)).one()
        no_ones = links.no_ones_url(get_settings())
        assert (message.text, message.content["template"]) == (
            "Refill, Ann?",
            {"name": "refill", "language": "en", "parameters": ["Ann", "Fjordly", no_ones]},
        )
        ann = session.scalars(select(Customer.id)).one()
    # Who reads the log has no link to their page; they have.
    whatsapp = OfTemplates()
    assert Sender(engine, {"whatsapp": whatsapp}).send_next()
    [template] = whatsapp.templates
    *known, url = template.parameters
    link = links.read(get_settings(), url.removeprefix(f"{get_settings().base_url}/p/"))
    assert link is not None
    assert (known, link.subject_id) == (["Ann", "Fjordly"], ann)


@pytest.mark.parametrize(("hours_ago", "reason"), [(25, "window_closed"), (1, "allowed")])
def test_without_a_template_the_window_decides(engine: Engine, use: Use, hours_ago: int, reason: str) -> None:
    one = use(on("whatsapp"))
    with session_scope(engine) as session:
        reached(session, one, "whatsapp", hours_ago)
    tasks.decide_due(engine)
    [(_, _, why)] = steps(engine)
    assert why == reason
    with read_scope(engine) as session:
        assert all("template" not in message.content for message in session.scalars(select(Message)))


def test_nothing_goes_to_where_they_said_stop(sqlite_engine: Engine, use: Use) -> None:
    one = use(on("telegram"))
    with session_scope(sqlite_engine) as session:
        talk = reached(session, one, hours_ago=5)
        ann = talk.customer_id
        assert ann is not None
        # What they agreed to by mail counts where they like to be reached, but not in the app they stopped.
        session.execute(update(ConsentEvent).values(channel="email"))
        session.add(ContactPolicy(customer_id=ann, preferred_channel="telegram"))
        stopped = ContactPoint(channel="telegram", address="other", conversation_id="", customer_id=ann)
        stopped.conversation_id = in_app(session, person(session, None, False)).id
        stopped.last_inbound_at = stopped.stopped_at = NOW - timedelta(hours=1)
        session.execute(delete(ContactPoint).where(ContactPoint.customer_id != ann))
        session.add(stopped)
    assert tasks.decide_due(sqlite_engine) == {"send": 1}
    with read_scope(sqlite_engine) as session:
        assert session.scalars(select(Message.conversation_id)).all() == [talk.id]


def test_a_conversation_somebody_works_on_is_not_waited_for(postgres_engine: Engine, use: Use) -> None:
    """Its lock is taken before the customer's elsewhere: waiting for it here could be for each other."""
    one = use(on("telegram"))
    with session_scope(postgres_engine) as session:
        talk = reached(session, one)
    with session_scope(postgres_engine) as other:
        conversations.lock(other, talk.id)
        assert tasks.decide_due(postgres_engine) == {"busy": 1}
    assert (steps(postgres_engine), decisions(postgres_engine)) == ([("first", "waiting", None)], [])
