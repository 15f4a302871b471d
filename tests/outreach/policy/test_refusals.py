"""Whatever way somebody says no, nothing goes out after it: what waits is dropped, and the policy says no."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.cases import opening
from rapport.cases.models import Case
from rapport.channels import inbound
from rapport.channels.base import Sender, Stopped
from rapport.customers import choices, contact, merging, rules, service
from rapport.customers.choices import Said
from rapport.kit import clock
from rapport.kit.settings import Settings
from rapport.outreach.policy import service as policy
from rapport.outreach.policy.rules import Touch
from tests.channels import people
from tests.channels.people import TELEGRAM, WHATSAPP, point_of, waiting, write

NOW = datetime(2026, 3, 2, 11, tzinfo=UTC)  # a Monday, noon in Oslo
CHANNELS = ("email", "whatsapp", "telegram", "phone")
TOUCHES = [Touch("j", "s", purpose, CHANNELS, template=True) for purpose in (*rules.PURPOSES, None)]
PAGE = Said("page:1", "page-1")


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


class Customer:
    """Somebody who agreed to everything everywhere, with something waiting for them on every way."""

    def __init__(self, session: Session, number: int) -> None:
        self.mail, self.app, self.number = (
            f"c{number}@example.com",
            f"{7000 + number}",
            f"47912345{number:02}",
        )
        self.id = people.customer(session, self.mail)
        write(session, TELEGRAM, self.app)
        write(session, WHATSAPP, self.number)
        for channel, address in ((TELEGRAM, self.app), (WHATSAPP, self.number)):
            people.verify(session, channel, address, self.mail)
        point_of(session, TELEGRAM, self.app)
        choices.agree(session, self.id, [(p, c) for p in rules.PURPOSES for c in CHANNELS[:3]], PAGE)
        service.ensure_customer(session, references=[("shop", f"{number}")])
        case = Case(
            kind="callback", text="t", language="en", customer_id=self.id, message_key=f"journey:{number}"
        )
        opening.begin(session, case)
        people.queue_delivery(session, TELEGRAM, self.app)
        people.queue_delivery(session, WHATSAPP, self.number)
        people.queue_mail(session, self.mail)

    def is_written_to(self, session: Session) -> set[str]:
        """On which ways something is waiting for them, or would be allowed now or in the next months."""
        calls = session.scalars(select(Case.message_key).where(Case.resolved_at.is_(None)))
        queued = {str(one) for one in waiting(session)}
        found = {one for one in queued if not one.startswith("verification_code")} | set(calls)
        for touch in TOUCHES:
            decision = policy.decide(session, self.id, touch, NOW)
            found |= {f"{touch.purpose} on {decision.channel}"} if decision.outcome == "send" else set()
        return found


def _stop(word: str) -> Callable[[Session, Customer], object]:
    return lambda session, one: write(session, TELEGRAM, one.app, word)


def _blocked_by_provider(session: Session, one: Customer) -> None:
    inbound.take(session, WHATSAPP, Stopped(Sender(one.number), f"stop-{one.id}"), people.NO_LIMITS)


def _said_by_a_prospect_they_are(session: Session, one: Customer) -> None:
    write(session, TELEGRAM, f"9{one.app}", "STOP")
    prospect = point_of(session, TELEGRAM, f"9{one.app}").customer_id
    merging.merge(session, prospect, one.id, "test")


def _took_back(session: Session, one: Customer) -> None:
    choices.withdraw(session, one.id, [(p, c) for p in rules.PURPOSES for c in CHANNELS[:3]], PAGE)
    contact.set_channels(session, one.id, refused=["phone"])


def _in_a_file(session: Session, one: Customer) -> None:
    for purpose in rules.PURPOSES:
        for channel in CHANNELS:
            service.record_consent(
                session,
                one.id,
                purpose=purpose,
                channel=channel,
                granted=False,
                wording_version="imported",
                source="file",
            )


WAYS: dict[str, Callable[[Session, Customer], object]] = {
    "unsubscribe in the chat": lambda session, one: contact.unsubscribe(session, one.id, "c:1"),
    "a pause": lambda session, one: contact.pause(session, one.id, NOW + timedelta(days=90), "c:1"),
    "no to every channel": lambda session, one: contact.set_channels(
        session, one.id, refused=rules.REFUSABLE
    ),
    "STOP": _stop("STOP"),
    "BAJA": _stop("Baja."),
    "STOPP": _stop("stopp!"),
    "DEZABONARE": _stop("Dezabonare"),
    "said to the provider": _blocked_by_provider,
    "said before we knew who they are": _said_by_a_prospect_they_are,
    "everything taken back on their page": _took_back,
    "left on their page, or by a link in a mail": lambda session, one: choices.leave(session, one.id, PAGE),
    "goodbye": lambda session, one: choices.say_goodbye(session, one.id, PAGE),
    "told to our people": lambda session, one: choices.leave(session, one.id, Said("staff:1", "staff-1")),
    "in a file": _in_a_file,
}


def test_nothing_goes_out_after_a_no(session: Session) -> None:
    for number, (name, say) in enumerate(WAYS.items(), 10):
        one = Customer(session, number)
        before = one.is_written_to(session)
        assert {f"journey:{number}", "newsletter on email", "None on email"} <= before, name
        assert len(before) == 4 + len(TOUCHES), name
        say(session, one)
        assert one.is_written_to(session) == set(), name


def test_a_no_to_one_channel_leaves_the_others_they_agreed_to(session: Session) -> None:
    one = Customer(session, 10)
    contact.set_channels(session, one.id, refused=["email", "phone"])
    left = one.is_written_to(session)
    assert {name for name in left if "on " in name} == {f"{touch.purpose} on whatsapp" for touch in TOUCHES}
    assert "journey:10" not in left
    assert len(left) == 2 + len(TOUCHES)


def test_who_agrees_again_hears_of_us_again(session: Session) -> None:
    one = Customer(session, 10)
    contact.unsubscribe(session, one.id, "c:1")
    with clock.freeze(NOW + timedelta(hours=1)):
        contact.subscribe(session, one.id, "c:2")
    assert one.is_written_to(session) == {"newsletter on email", "None on email"}
