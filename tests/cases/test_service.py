"""Working on cases, on both databases: who is faster, what reaches the customer, what stays to be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rapport.cases import service, tasks
from rapport.cases.models import Case
from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import ContactPolicy
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.loyalty.offers import tasks as offers
from rapport.loyalty.offers.models import Coupon
from tests.cases.conftest import Desk
from tests.console.talks import somebody
from tests.loyalty.offers import shop
from tests.loyalty.threads import at_once

DAY = timedelta(days=1)


def do(desk: Desk, what: str, case_id: int, *args: Any, version: int | None = None, **more: Any) -> Any:
    """One step of Ada's, on the newest version unless another is given."""
    with session_scope(desk.engine) as session:
        known = version or session.get_one(Case, case_id).version
        return getattr(service, what)(session, case_id, known, desk.ada, *args, **more)


def test_from_the_first_word_to_the_end(desk: Desk) -> None:
    case_id = desk.case()
    opened = desk.read(case_id)
    assert (opened.status, opened.priority, opened.version) == ("open", "normal", 1)
    assert opened.due_at - opened.opened_at >= 2 * DAY
    do(desk, "take", case_id)
    do(desk, "set_priority", case_id, "high")
    assert desk.read(case_id).due_at < opened.due_at
    do(desk, "answer", case_id, "Which zip was it?", asks=True)
    assert desk.read(case_id).status == "waiting"
    do(desk, "resolve", case_id, "accepted", "You get a new jacket.")
    case = desk.read(case_id)
    assert (case.status, case.outcome, case.resolution) == ("resolved", "accepted", "You get a new jacket.")
    assert case.owner_id == desk.ada
    assert case.resolved_at is not None
    assert desk.said(case_id) == ["Which zip was it?", "You get a new jacket."]
    assert [event.kind for event in desk.history(case_id)] == [
        "opened",
        "taken",
        "priority",
        "asked",
        "resolved",
    ]
    assert [event.version for event in desk.history(case_id)] == [1, 2, 3, 4, 5]
    with pytest.raises(ConflictError):
        do(desk, "answer", case_id, "One more thing.")
    do(desk, "reopen", case_id)
    case = desk.read(case_id)
    assert (case.status, case.outcome, case.resolution, case.resolved_at) == ("reopened", None, None, None)
    assert case.due_at > opened.due_at - 2 * DAY


def test_the_second_of_two_is_told_what_changed(desk: Desk) -> None:
    case_id = desk.case()
    do(desk, "take", case_id)
    with pytest.raises(service.ChangedError) as told:
        do(desk, "resolve", case_id, "refused", "No.", version=1)
    assert [(event.kind, event.staff_id) for event in told.value.news] == [("taken", desk.ada)]
    assert desk.said(case_id) == []
    assert desk.read(case_id).status == "progress"


def test_of_many_who_take_it_at_once_one_gets_it(desk: Desk) -> None:
    case_id = desk.case()
    lost: list[BaseException] = []

    def take() -> None:
        with session_scope(desk.engine) as session:
            try:
                service.take(session, case_id, 1, desk.ada)
            except service.ChangedError as error:
                lost.append(error)

    at_once(6, take)
    assert len(lost) == 5
    assert desk.read(case_id).version == 2
    assert [event.kind for event in desk.history(case_id)] == ["opened", "taken"]


def test_a_form_sent_twice_says_it_once(desk: Desk) -> None:
    case_id = desk.case()
    do(desk, "answer", case_id, "We look into it.", version=1)
    with pytest.raises(service.ChangedError):
        do(desk, "answer", case_id, "We look into it.", version=1)
    assert desk.said(case_id) == ["We look into it."]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "we cannot do it"), ("es", "no poder"), ("nb", "beklager"), ("ro", "nu se poate")],
)
def test_the_shops_own_words_in_the_customers_language(desk: Desk, language: str, words: str) -> None:
    case_id = desk.case("request", "cancel", language=language, topic="cancel_order", order_number="10001")
    _, used = do(desk, "resolve", case_id, "refused")
    assert used == ["web"]
    [said] = desk.said(case_id)
    assert said is not None
    assert words in said
    assert "10001" in said
    assert f"{case_id})" in said
    assert desk.read(case_id).resolution is None


def test_nobody_is_told_what_was_unticked(desk: Desk) -> None:
    case_id = desk.case()
    _, used = do(desk, "resolve", case_id, "accepted", "Sent a new one.", tell=False)
    assert (used, desk.said(case_id), desk.mails()) == ([], [], [])
    assert desk.read(case_id).resolution == "Sent a new one."


def test_who_left_the_chat_gets_it_by_mail_too(desk: Desk) -> None:
    case_id = desk.case(language="nb", at=clock.now() - DAY)
    do(desk, "answer", case_id, "Vi sender en ny {jakke}.")
    [mail] = desk.mails()
    address = f"{mail.recipient}"
    assert address.startswith("ann")
    assert mail.text is not None
    assert "Vi sender en ny {jakke}." in mail.text
    assert "klagen din" in (mail.subject or "")
    assert desk.said(case_id) == ["Vi sender en ny {jakke}."]
    assert desk.history(case_id)[-1].details == {"ways": ["web", "mail"]}


def test_who_wants_no_mails_gets_none(desk: Desk) -> None:
    case_id = desk.case(at=clock.now() - DAY)
    with session_scope(desk.engine) as session:
        customer_id = session.get_one(Case, case_id).customer_id
        session.add(ContactPolicy(customer_id=customer_id, refused_channels=["email"]))
    do(desk, "answer", case_id, "All is well.")
    assert desk.mails() == []
    with session_scope(desk.engine) as session:
        ways = service.ways_of(session, session.get_one(Case, case_id))
    assert (ways.chat, ways.away, ways.mail, ways.refuses_mail) == (True, True, False, True)


@pytest.mark.parametrize("stopped", [False, True])
def test_in_an_app_it_is_queued_for_it_unless_they_said_stop(desk: Desk, stopped: bool) -> None:
    case_id = desk.case(channel="telegram")
    case = desk.read(case_id)
    with session_scope(desk.engine) as session:
        now = clock.now()
        session.add(
            ContactPoint(
                channel="telegram",
                address="1",
                conversation_id=case.conversation_id,
                customer_id=case.customer_id,
                last_inbound_at=now,
                stopped_at=now if stopped else None,
            )
        )
    do(desk, "answer", case_id, "All is well.")
    with read_scope(desk.engine) as session:
        assert len(list(session.scalars(select(Delivery)))) == (0 if stopped else 1)
    assert len(desk.mails()) == stopped
    assert desk.history(case_id)[-1].details == {"ways": ["mail"] if stopped else ["telegram"]}


def test_an_answer_that_reaches_nobody_is_refused(desk: Desk) -> None:
    with session_scope(desk.engine) as session:
        case = service.open_by_hand(
            session, desk.ada, kind="callback", text="Wants to be called.", language="es", contact="+34 600"
        )
    with pytest.raises(service.UnreachedError):
        do(desk, "answer", case.id, "Hola")
    assert desk.read(case.id).status == "open"
    _, used = do(desk, "resolve", case.id, "reached")
    assert used == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "review"},
        {"text": " "},
        {"text": "x" * 4001},
        {"source_url": "javascript:alert(1)"},
        {"language": "xx"},
        {"priority": "now"},
        {"contact": "x" * 201},
    ],
)
def test_what_is_opened_by_hand_is_checked(desk: Desk, wrong: dict[str, str]) -> None:
    right = {"kind": "mention", "text": "They like us.", "language": "en"}
    with session_scope(desk.engine) as session, pytest.raises(InvalidInputError):
        service.open_by_hand(session, desk.ada, **{**right, **wrong})  # type: ignore[arg-type]


def test_a_case_waits_until_the_customer_writes(desk: Desk, engine: Engine) -> None:
    case_id = desk.case()
    do(desk, "answer", case_id, "Which zip?", asks=True)
    quiet = desk.case()
    do(desk, "answer", quiet, "Which zip?", asks=True)

    def run() -> dict[str, int]:
        with session_scope(engine) as session:
            return dict(tasks.run(session, clock.now()))

    assert run() == {}
    with session_scope(engine) as session:
        talk_id = session.get_one(Case, case_id).conversation_id
        conversation = session.get_one(Conversation, talk_id)
        conversation.last_sequence += 1
        session.add(
            Message(
                conversation_id=talk_id,
                sequence=conversation.last_sequence,
                author="customer",
                channel="web",
                provider_id="x",
                status="answered",
                text="The left one.",
                at=clock.now() + timedelta(seconds=1),
            )
        )
    assert run() == {"heard": 1}
    assert run() == {}
    assert desk.read(case_id).status == "progress"
    assert desk.read(quiet).status == "waiting"


def test_the_customer_reopens_the_same_case_once(desk: Desk) -> None:
    case_id = desk.case()
    do(desk, "resolve", case_id, "accepted", "Mended.")
    for _ in range(2):
        with session_scope(desk.engine) as session:
            case = session.get_one(Case, case_id)
            conversation = session.get_one(Conversation, case.conversation_id)
            taken_up = service.take_up_again(
                session, conversation, None, ("complaint",), "It is still broken.", "talk:9"
            )
            assert taken_up is case
    assert desk.read(case_id).status == "reopened"
    assert [event.kind for event in desk.history(case_id)] == ["opened", "resolved", "reopened"]
    assert desk.history(case_id)[-1].text == "It is still broken."


def test_a_present_follows_a_complaint_that_was_resolved(desk: Desk) -> None:
    """The complaint holds everything back; days after it was resolved a present comes, once."""
    now = datetime(2026, 5, 4, 10, tzinfo=UTC)
    with clock.freeze(now):
        case_id = desk.case()
        with session_scope(desk.engine) as session:
            customer_id = session.get_one(Case, case_id).customer_id
            assert customer_id is not None
            shop.consent(session, customer_id, at=now - 9 * DAY)
            shop.offer(
                session, "sorry", occasion="recovery", amount_minor=5_000, after_days=2, per_customer=0
            )

    def run(at: datetime) -> int:
        with clock.freeze(at), session_scope(desk.engine) as session:
            return offers.run(session, at)["recovery"]

    assert run(now + 3 * DAY) == 0
    with clock.freeze(now + 3 * DAY):
        do(desk, "resolve", case_id, "accepted", "You get a new one.")
    assert run(now + 4 * DAY) == 0
    assert run(now + 6 * DAY) == 1
    assert run(now + 6 * DAY) == 0
    with read_scope(desk.engine) as session:
        assert session.scalars(select(Coupon.customer_id)).all() == [customer_id]


@pytest.mark.parametrize("resolved", [False, True])
def test_who_came_after_them_at_the_same_computer_reads_nothing_of_their_case(
    desk: Desk, resolved: bool
) -> None:
    case_id = desk.case()
    other = somebody(desk.engine, "Ben", "ben@example.com")
    with session_scope(desk.engine) as session:
        case = session.get_one(Case, case_id)
        conversation = session.get_one(Conversation, case.conversation_id)
        theirs, conversation.customer_id = conversation.customer_id, other
    step = ("resolve", "accepted") if resolved else ("answer",)
    do(desk, step[0], case_id, *step[1:], "Your parcel went to Storgata 5.")
    assert desk.said(case_id) == []
    assert len(desk.mails()) == 1, "their own address gets it"
    with read_scope(desk.engine) as session:
        conversation = session.get_one(Conversation, case.conversation_id)
        for who in (other, None):
            assert service.latest(session, conversation, who) == [], "and the bot tells nothing"
        assert len(service.latest(session, conversation, theirs)) == 1
