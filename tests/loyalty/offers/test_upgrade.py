"""Codes that were there before offers had audiences and budgets are carried over, and back."""

from __future__ import annotations

from alembic import command
from sqlalchemy import Engine, select, text

from rapport import migrations
from rapport.customers.mailboxes import mailbox
from rapport.customers.models import Identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.loyalty.offers import service
from tests.loyalty.offers.shop import NOW

TIME, END = "'2026-05-01 12:00:00.000000'", "'2026-06-01 12:00:00.000000'"
OLD = f"""
INSERT INTO customer (id, stage, created_at) VALUES (1, 'know', {TIME}), (2, 'know', {TIME});
INSERT INTO identity (customer_id, kind, value) VALUES (1, 'email', 'ann.b+shop+x@googlemail.com'),
    (1, 'phone', '+4791234567'), (2, 'email', '+bo@example.com');
INSERT INTO "order" (id, source, number, customer_id, status, currency, total_minor, placed_at)
    VALUES (1, 's', '1', 2, 'paid', 'NOK', 50000, {TIME});
INSERT INTO offer (id, key, percent, minimum_minor, min_orders, valid_days, cap, used, active)
    VALUES (1, 'welcome', 10, 500, 0, 30, 9, 2, true);
INSERT INTO coupon (id, code, offer_id, customer_id, sequence, message_key, issued_at, expires_at)
    VALUES (1, 'FJ-AAAA-BBBB', 1, 1, 1, 'c:1', {TIME}, {END}),
           (2, 'FJ-CCCC-DDDD', 1, 2, 1, NULL, {TIME}, {END});
INSERT INTO redemption (id, coupon_id, order_id, at) VALUES (1, 2, 1, {TIME})
"""
REDEMPTIONS = "SELECT coupon_id, order_id FROM redemption"


def test_old_codes_go_on_and_back(engine: Engine) -> None:
    config = migrations.config(engine)
    command.downgrade(config, "0005")
    with engine.begin() as connection:
        for statement in OLD.split(";"):
            connection.execute(text(statement))
    command.upgrade(config, "head")
    with session_scope(engine) as session:
        known = session.execute(select(Identity.kind, Identity.value, Identity.mailbox)).all()
        assert [row.mailbox for row in known] == [
            mailbox(row.value) if row.kind == "email" else None for row in known
        ]
    with clock.freeze(NOW), session_scope(engine) as session:
        again = service.offer_discount(session, 1, "c:1")
        assert again is not None
        assert (again.code, again.percent, again.minimum_minor, again.again) == (
            "FJ-AAAA-BBBB",
            10,
            500,
            False,
        )
        assert service.offer_discount(session, 2) is None, "used once, it is not made again"
        quote = service.redeem(session, again.code, key="k", order_minor=1_000, currency="NOK")
        assert quote.discount_minor == 100
        service.rollback(session, "FJ-CCCC-DDDD", key="k", reason="cancelled", order_id=1)
        assert service.offer_discount(session, 2) is not None
    command.downgrade(config, "0006")
    with engine.connect() as connection:
        assert connection.execute(text(REDEMPTIONS)).all() == [(1, None)]
        percents = connection.execute(text("SELECT percent, used FROM offer")).all()
        assert percents == [(10, 2)]
        connection.rollback()
    command.upgrade(config, "head")
    with clock.freeze(NOW), session_scope(engine) as session:
        assert service.offer_discount(session, 1) is None
