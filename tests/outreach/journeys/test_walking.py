"""A journey from its beginning to its end, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.customers import contact
from rapport.customers.models import ContactPolicy, Identity
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.offers import audit
from rapport.loyalty.offers.models import Coupon
from rapport.outreach.journeys import rules, service, tasks
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.shop.models import Refund
from rapport.value.models import CustomerValue
from tests.loyalty.offers.shop import offer, order, valued
from tests.outreach.journeys.conftest import Use
from tests.outreach.journeys.walk import (
    DAY,
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
    walker,
    words,
)


def decide(engine: Engine, days: float = 0) -> dict[str, int]:
    """What became of all that is due so many days from now."""
    with clock.freeze(NOW + timedelta(days=days)):
        return dict(tasks.decide_due(engine))


def entry(engine: Engine) -> JourneyEntry:
    with read_scope(engine) as session:
        found = session.scalars(select(JourneyEntry)).one()
        session.expunge(found)
        return found


def test_each_step_is_sent_when_it_is_due_and_then_it_is_finished(engine: Engine, use: Use) -> None:
    walker(engine, use(journey()))
    assert decide(engine) == {"send": 1}
    assert decide(engine, 6.9) == {}
    assert decide(engine, 7) == {"send": 1}
    assert decide(engine, 30) == {}
    assert steps(engine) == [("first", "sent", "allowed"), ("second", "sent", "allowed")]
    first, second = mails(engine)
    assert (first.key, second.key) == ("journey:1", "journey:2")
    assert (first.recipient, first.subject) == ("ann@example.com", "News (en)")
    assert first.text == "en: Hello Ann, this is Fjordly.\n"
    assert first.expires_at == NOW + 7 * DAY
    assert (entry(engine).status, entry(engine).ended_at) == ("finished", NOW + 7 * DAY)
    assert decisions(engine) == [("first", "send", "allowed"), ("second", "send", "allowed")]


def test_who_is_on_it_for_that_already_does_not_enter_again(session: Session, use: Use) -> None:
    one, ann = use(journey(again_days=0)), person(session)
    assert begin(session, one, ann) is not None
    assert begin(session, one, ann) is None
    assert begin(session, one, ann, "order:2") is not None
    assert session.query(JourneyStep).count() == 4


def test_nobody_enters_again_too_soon_or_what_is_not_for_them(session: Session, use: Use) -> None:
    ann, one = person(session), use(journey(again_days=30))
    assert begin(session, one, ann) is not None
    assert begin(session, one, ann, "order:2", NOW + 29 * DAY) is None
    assert begin(session, one, ann, "order:2", NOW + 30 * DAY) is not None
    assert begin(session, journey(active=False), ann, "order:3", NOW + 90 * DAY) is None
    buyers = journey(audience={"min_orders": 1})
    assert begin(session, buyers, ann, "order:3", NOW + 90 * DAY) is None
    order(session, ann)
    assert begin(session, buyers, ann, "order:3", NOW + 90 * DAY) is not None


def test_the_control_group_gets_nothing_and_is_counted(
    sqlite_engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "variant_of", lambda *_: "control")
    walker(sqlite_engine, use(journey()))
    assert (entry(sqlite_engine).variant, entry(sqlite_engine).status) == ("control", "finished")
    assert (decide(sqlite_engine, 8), steps(sqlite_engine), mails(sqlite_engine)) == ({}, [], [])


def test_other_words_for_the_other_half(
    sqlite_engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "variant_of", lambda *_: "b")
    walker(sqlite_engine, use(journey(step(b=words("Hi!")), step("second", after_days=1))))
    decide(sqlite_engine)
    decide(sqlite_engine, 6)
    assert [mail.text for mail in mails(sqlite_engine)] == ["en: Hi!\n", "en: Hello Ann, this is Fjordly.\n"]


@pytest.mark.parametrize(
    ("exits", "happens", "why"),
    [
        (["bought"], lambda s, c, o: order(s, c, NOW + DAY), "bought"),
        (["lost_interest"], lambda s, c, o: contact.unsubscribe(s, c, "talk:1"), "lost_interest"),
        (["returned"], lambda s, c, o: s.add(refund(o)), "returned"),
        (["bought"], lambda s, c, o: None, None),
        (["returned", "lost_interest"], lambda s, c, o: order(s, c, NOW + DAY), None),
    ],
)
def test_who_leaves_gets_no_more(
    engine: Engine, use: Use, exits: list[str], happens: Callable[..., object], why: str | None
) -> None:
    one = use(journey(exits=exits))
    with session_scope(engine) as session:
        ann = person(session)
        bought = order(session, ann, NOW - 5 * DAY)
        begin(session, one, ann, order_id=bought.id)
    decide(engine)
    with session_scope(engine) as session, clock.freeze(NOW + 2 * DAY):
        happens(session, ann, bought.id)
    decide(engine, 7)
    assert steps(engine)[1] == ("second", "left" if why else "sent", why or "allowed")
    assert (entry(engine).status, entry(engine).left_why) == ("left" if why else "finished", why)
    assert decisions(engine)[-1][1:] == (("never", why) if why else ("send", "allowed"))


def refund(order_id: int) -> Refund:
    return Refund(order_id=order_id, source="shop", reference="r", amount_minor=1, currency="NOK", at=NOW)


def test_leaving_ends_all_or_some(session: Session, use: Use) -> None:
    ann, one = person(session), use(journey())
    begin(session, one, ann)
    assert service.leave(session, ann, "bought", ["another"]) == 0
    assert service.leave(session, ann, "goodbye") == 1
    assert {row.status for row in session.query(JourneyStep).populate_existing()} == {"left"}
    assert service.leave(session, ann, "goodbye") == 0


def test_the_audience_is_asked_once_more_when_it_is_decided(engine: Engine, use: Use) -> None:
    ann = walker(
        engine, use(journey(step("first"), step("second", after_days=1), audience={"max_orders": 0}))
    )
    decide(engine)
    with session_scope(engine) as session:
        order(session, ann, NOW)
    decide(engine, 5)
    assert steps(engine)[1] == ("second", "skipped", "not_for_them")


def test_no_consent_no_mail(sqlite_engine: Engine, use: Use) -> None:
    one = use(journey(step()))
    with session_scope(sqlite_engine) as session:
        begin(session, one, person(session, agrees=False))
    assert decide(sqlite_engine) == {"never": 1}
    assert (steps(sqlite_engine), mails(sqlite_engine)) == ([("first", "skipped", "no_consent")], [])
    assert entry(sqlite_engine).status == "finished"


def test_what_is_put_off_comes_later_and_pushes_what_follows(engine: Engine, use: Use) -> None:
    ann = walker(engine, use(journey()))
    with session_scope(engine) as session:
        contact.pause(session, ann, NOW + 6 * DAY, "talk:1")
    assert decide(engine) == {"later": 1}
    assert decide(engine, 5.9) == {}
    assert decide(engine, 6) == {"send": 1}
    assert decide(engine, 12.9) == {}
    assert decide(engine, 13) == {"send": 1}
    assert decisions(engine)[0] == ("first", "later", "paused")


def test_what_would_come_too_late_does_not_come(sqlite_engine: Engine, use: Use) -> None:
    ann = walker(sqlite_engine, use(journey()))
    with session_scope(sqlite_engine) as session:
        contact.pause(session, ann, NOW + 20 * DAY, "talk:1")
    assert decide(sqlite_engine) == {"never": 1}
    assert steps(sqlite_engine)[0] == ("first", "skipped", "paused")
    # Nothing ran for weeks.
    assert decide(sqlite_engine, 7 + 15) == {"never": 1}
    assert steps(sqlite_engine)[1] == ("second", "skipped", "too_late")


def test_a_journey_that_is_switched_off_sends_nothing(sqlite_engine: Engine, use: Use) -> None:
    one = journey()
    walker(sqlite_engine, one)
    use(one.model_copy(update={"active": False}))
    assert decide(sqlite_engine) == {"never": 1}
    use(journey(step("another")))
    assert decide(sqlite_engine, 8) == {"never": 1}
    assert [reason for _, _, reason in steps(sqlite_engine)] == ["switched_off", "switched_off"]
    assert entry(sqlite_engine).status == "finished"


CODE = "{code}: {off}, {minimum}, until {expires}."


def test_a_code_is_given_once_and_only_with_what_is_sent(engine: Engine, use: Use) -> None:
    one = use(
        journey(
            step("first", CODE, offer="win-back"),
            step("second", "Still good: {code}", after_days=5, offer="win-back"),
            step("third", "Last call: {code}", after_days=5, offer="win-back"),
            exits=["used"],
        )
    )
    with session_scope(engine) as session:
        offer(session, "win-back", percent=15, minimum_minor=50_000, valid_days=30)
        ann = person(session)
        begin(session, one, ann)
        contact.pause(session, ann, NOW + DAY, "talk:1")
    assert decide(engine) == {"later": 1}
    assert coupons(engine) == []
    decide(engine, 1)
    decide(engine, 6)
    [coupon] = coupons(engine)
    first, second = mails(engine)
    assert (
        first.text == f"en: {coupon.code}: 15% off, on orders of NOK\u00a0500 or more, until 3 April 2026.\n"
    )
    assert second.text == f"en: Still good: {coupon.code}\n"
    with session_scope(engine) as session:
        assert audit.find(session) == []
        used = session.get_one(Coupon, coupon.id)
        used.state, used.redeemed_at, used.cost_minor = "redeemed", NOW + 7 * DAY, used.reserved_minor
    decide(engine, 11)
    assert steps(engine)[2] == ("third", "left", "used")


def coupons(engine: Engine) -> list[Coupon]:
    with read_scope(engine) as session:
        found = list(session.scalars(select(Coupon)))
        session.expunge_all()
        return found


def test_without_an_offer_for_them_nothing_is_said(sqlite_engine: Engine, use: Use) -> None:
    one = use(journey(step("first", CODE, offer="vip"), step("second", CODE, offer="gone")))
    with session_scope(sqlite_engine) as session:
        offer(session, "vip", min_orders=3)
        begin(session, one, person(session))
    assert decide(sqlite_engine) == {"never": 2}
    assert [reason for _, _, reason in steps(sqlite_engine)] == ["no_offer", "no_offer"]
    assert (mails(sqlite_engine), coupons(sqlite_engine)) == ([], [])


def test_a_code_they_have_already_is_told_again(engine: Engine, use: Use) -> None:
    one = use(journey(step("first", CODE, offer="win-back")))
    with session_scope(engine) as session:
        key = offer(session, "win-back", per_customer=5)
        ann = person(session)
        begin(session, one, ann)
        session.add(Coupon(code="FJ-AAAA-BBBB", offer_id=key, customer_id=ann, expires_at=NOW + DAY))
    decide(engine)
    assert "FJ-AAAA-BBBB" in (mails(engine)[0].text or "")
    assert mails(engine)[0].expires_at == NOW + DAY, "nobody is told of a code that has ended"
    assert len(coupons(engine)) == 1


def test_what_is_not_known_is_not_written_about(sqlite_engine: Engine, use: Use) -> None:
    walker(sqlite_engine, use(journey(step("first", "About {product}."))), sku="gone")
    assert decide(sqlite_engine) == {"never": 1}
    assert steps(sqlite_engine) == [("first", "skipped", "no_words")]


@pytest.mark.parametrize(("spoken", "expected"), [("ro", "ro"), (None, "es"), ("no talk", "en")])
def test_the_language_is_theirs_else_their_conversations_else_the_shops(
    session: Session, use: Use, spoken: str | None, expected: str
) -> None:
    use(journey(step()))
    ann = person(session, language=spoken if spoken != "no talk" else None)
    if spoken != "no talk":
        in_app(session, ann)
    preview = service.preview(session, "test", "first", ann)
    assert preview.words is not None
    assert preview.words.language == expected


def test_who_prefers_the_phone_is_called(engine: Engine, use: Use) -> None:
    one = use(journey(step(short="Ask {name} how it went.", channels=["phone"])))
    with session_scope(engine) as session:
        ann = person(session, language="nb")
        session.add(Identity(customer_id=ann, kind="phone", value="+4722000000"))
        agree(session, ann, channel="phone")
        session.add(ContactPolicy(customer_id=ann, preferred_channel="phone"))
        valued(session, ann, "best", (5, 5, 5))
        session.execute(update(CustomerValue).values(clv_minor=100_000))  # worth somebody's time
        begin(session, one, ann)
    assert decide(engine) == {"send": 1}
    with read_scope(engine) as session:
        case = session.scalars(select(Case)).one()
        assert (case.kind, case.text, case.language) == ("callback", "Ask Ann how it went.", "nb")
        assert (case.contact, case.customer_id) == ("Ann Berg, +4722000000", ann)
        row = session.scalars(select(JourneyStep)).one()
        assert (row.channel, row.reference) == ("phone", f"case:{case.id}")


@pytest.mark.parametrize("occasion", ["points", "referral", "surprise"])
def test_what_is_paid_for_or_drawn_elsewhere_is_never_given_here(
    sqlite_engine: Engine, use: Use, occasion: str
) -> None:
    one = use(journey(step("first", CODE, offer="other")))
    with session_scope(sqlite_engine) as session:
        offer(session, "other", occasion=occasion)
        begin(session, one, person(session))
    assert decide(sqlite_engine) == {"never": 1}
    assert (steps(sqlite_engine)[0][2], coupons(sqlite_engine)) == ("no_offer", [])
