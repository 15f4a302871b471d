"""The shop's own journeys, from what happens to the mail in the outbox; on both databases."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import Engine, select

from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import get_settings
from rapport.outreach.journeys import rules, tasks
from rapport.outreach.journeys.definition import load_all
from rapport.outreach.journeys.models import JourneyEntry
from rapport.shop.models import Order
from tests.outreach.journeys.walk import DAY, NOW, agree, mails, person

MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("settings")


def _number_of_one_who_is(variant: str) -> int:
    """A customer's number for whom this was drawn."""
    secret = get_settings().secret_key.get_secret_value()
    control = load_all()["thank_you"].control
    return next(
        number
        for number in count(1)
        if rules.variant_of(secret, "thank_you", number, control, False) == variant
    )


def test_who_had_a_parcel_is_thanked_once_in_their_language_and_the_control_group_is_not(
    engine: Engine,
) -> None:
    thanked, compared = _number_of_one_who_is(rules.A), _number_of_one_who_is(rules.CONTROL)
    with session_scope(engine) as session:
        for number in (thanked, compared):
            person(
                session, f"kari{number}@example.com", agrees=False, id=number, name="Kari Moe", language="nb"
            )
            agree(session, number, purpose="tips")
            session.add(
                Order(
                    source="shop",
                    number=f"N-{number}",
                    customer_id=number,
                    status="delivered",
                    currency="NOK",
                    total_minor=100_000,
                    placed_at=NOW - 3 * DAY,
                    delivered_at=NOW,
                )
            )
    with clock.freeze(NOW + 4 * DAY - MINUTE):
        assert tasks.run(engine) == "nothing was due"
    with clock.freeze(NOW + 4 * DAY):
        assert tasks.run(engine) == "2 entered, 1 send"
        assert tasks.run(engine) == "nothing was due"
    for days in (5, 11, 20):
        with clock.freeze(NOW + days * DAY):
            tasks.run(engine)
    [mail] = mails(engine)
    assert (mail.recipient, mail.language) == (f"kari{thanked}@example.com", "nb")
    assert mail.subject == "Takk for handelen"
    assert mail.text is not None
    assert mail.text.startswith("Hei, Kari!\n")
    assert f"bestilling N-{thanked} " in mail.text
    with read_scope(engine) as session:
        entries = session.execute(
            select(JourneyEntry.customer_id, JourneyEntry.variant, JourneyEntry.journey)
        )
        assert {tuple(row) for row in entries} == {
            (thanked, rules.A, "thank_you"),
            (compared, rules.CONTROL, "thank_you"),
        }
