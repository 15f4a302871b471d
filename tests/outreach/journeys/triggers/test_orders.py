"""Who begins a journey because of an order; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from rapport.cases.models import Case
from rapport.kit.database import session_scope
from rapport.outreach.journeys.triggers import base
from rapport.shop.models import Refund
from tests.loyalty.offers.shop import DAY, NOW, customer, order
from tests.outreach.journeys.triggers.finding import enter, found, journey, put

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
