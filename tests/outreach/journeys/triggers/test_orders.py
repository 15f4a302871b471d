"""Who begins a journey because of an order; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from rapport.cases.models import Case
from rapport.kit.database import session_scope
from rapport.outreach.journeys.triggers import base, care
from rapport.outreach.journeys.triggers.orders import Line
from rapport.shop.models import Refund
from tests.loyalty.offers.shop import DAY, NOW, customer, order, product
from tests.outreach.journeys.triggers.finding import enter, found, journey, put
from tests.plans import statements

SECOND = timedelta(seconds=1)


def test_delivered_finds_each_kept_order_once_when_its_days_are_over(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "BATCH", 2)
    after_four = journey("delivered", days=4)
    with session_scope(engine) as session:
        ann = customer(session)
        just = order(session, ann, delivered_at=NOW - 4 * DAY)
        latest = order(session, ann, delivered_at=NOW - 11 * DAY + SECOND)
        same = order(session, customer(session), delivered_at=NOW - 4 * DAY)
        put(session, just, "SOCKS", 9_900)
        put(session, just, "TENT", 299_900)
        # Not yet, too long ago, not delivered, nobody's.
        order(session, ann, delivered_at=NOW - 4 * DAY + SECOND)
        order(session, ann, delivered_at=NOW - 11 * DAY)
        order(session, ann, delivered_at=NOW - 5 * DAY, status="refunded")
        order(session, None, delivered_at=NOW - 5 * DAY)  # type: ignore[arg-type]
        # Something came back; somebody asked to send it back.
        part = order(session, ann, delivered_at=NOW - 5 * DAY)
        session.add(
            Refund(order_id=part.id, source="s", reference="r", amount_minor=1, currency="NOK", at=NOW)
        )
        asked = order(session, ann, delivered_at=NOW - 5 * DAY)
        session.add(
            Case(
                kind="request",
                topic="get_refund",
                order_number=asked.number,
                customer_id=ann,
                message_key="m",
                text="",
                language="en",
            )
        )
        session.flush()

        due = found(session, after_four)
        assert [one.trigger_key for one in due] == [
            f"order:{latest.id}",
            f"order:{just.id}",
            f"order:{same.id}",
        ]
        assert due[1].customer_id == ann and due[1].anchor_at == NOW
        assert due[1].context == {"order_id": just.id, "sku": "TENT"}
        assert due[2].context == {"order_id": same.id}
        for one in due[:2]:
            enter(session, one)
        assert [one.trigger_key for one in found(session, after_four)] == [f"order:{same.id}"]
        assert len(found(session, after_four, key="another")) == 3
        assert found(session, journey("no_such_trigger")) == []


def test_tips_are_found_once_for_each_kind_of_thing(engine: Engine) -> None:
    after_ten = journey("tips", days=10)
    with session_scope(engine) as session:
        for sku, category in (("BOOT-501", "boots"), ("BOOT-502", "boots"), ("BOOK-1", "books")):
            product(session, sku, 100_000, None, category=category)
        ann, bob = customer(session), customer(session)
        own, general, book = (
            order(session, who, delivered_at=NOW - 10 * DAY, number=number)
            for who, number in ((ann, "1"), (bob, "2"), (ann, "3"))
        )
        put(session, own, "BOOK-1", 300_000)
        put(session, own, "BOOT-501", 100_000)
        put(session, general, "BOOT-502", 100_000)
        put(session, book, "BOOK-1")
        again = order(session, bob, delivered_at=NOW - 10 * DAY)
        put(session, again, "BOOT-502")
        due = found(session, after_ten)
        assert [(one.customer_id, one.trigger_key) for one in due] == [
            (ann, "care:BOOT-501"),
            (bob, "care:boots"),
        ]
        assert due[0].context == {"order_id": own.id, "sku": "BOOT-501", "care": "BOOT-501"}
        for one in due:
            enter(session, one)
        assert found(session, after_ten) == []


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["tents", "boots", None])), max_size=4),
    st.sets(st.sampled_from(["a", "b", "tents"])),
)
def test_the_first_thing_with_tips_is_chosen(lines: list[tuple[str, str | None]], known: set[str]) -> None:
    chosen = care.first_with_tips([Line(*line) for line in lines], known)
    with_tips = [line for line in lines if set(line) & known]
    if not with_tips:
        assert chosen is None
    else:
        sku, category = with_tips[0]
        assert chosen == (sku, sku if sku in known else category)


def test_related_is_what_others_took_along_and_this_person_does_not_have(engine: Engine) -> None:
    after_weeks = journey("related", days=21)
    with session_scope(engine) as session:
        for sku in ("TENT", "MAT", "LAMP", "RARE"):
            product(session, sku, 100_000, None, category=sku.lower())
        for _ in range(3):
            bundle = order(session, customer(session), NOW - 50 * DAY)
            for sku in ("TENT", "MAT"):
                put(session, bundle, sku)
            put(session, order(session, bundle.customer_id or 0, NOW - 40 * DAY), "LAMP")
        put(session, order(session, customer(session), NOW - 50 * DAY), "RARE")
        ann, bob = customer(session), customer(session)
        for who, sku in ((ann, "TENT"), (bob, "TENT"), (bob, "RARE")):
            put(session, order(session, who, NOW - 30 * DAY, delivered_at=NOW - 21 * DAY), sku)
        put(session, order(session, ann, NOW - 60 * DAY), "MAT")
        due = found(session, after_weeks)
        assert [(one.customer_id, one.context["sku"]) for one in due] == [(ann, "LAMP"), (bob, "MAT")]
        assert due[0].anchor_at == NOW
        with statements(engine) as asked:
            found(session, after_weeks)
        # The tent is looked up once for both of them.
        assert len([one for one in asked if "GROUP BY product" in one[0]]) == 2
