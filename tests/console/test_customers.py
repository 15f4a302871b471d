"""Finding customers, and the page of one: who finds whom, and what is kept of it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from rapport.customers import repository as customers
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.points import service as points
from rapport.outreach.journeys import definition
from rapport.outreach.policy.models import ContactDecision
from rapport.staff.models import AuditEvent
from rapport.value.models import CustomerValue
from tests.console.client import readable
from tests.console.conftest import Logged
from tests.console.lives import EMAIL, NAME, live
from tests.console.talks import somebody

LIST = "/console/customers"


def test_managers_find_by_name_address_and_order(log_in: Logged, engine: Engine) -> None:
    live(engine)
    somebody(engine, "Øystein Åsen", "oystein@example.com")
    manager = log_in("manager")
    for wanted in ("lucia mor", "Lucía", EMAIL.upper(), "FJ-20001", "fj 20001", "#FJ20001"):
        text = manager.text(LIST, q=wanted)
        assert NAME in text and "Øystein" not in text, wanted
    assert "Øystein Åsen" in manager.text(LIST, q="oystein")
    assert "Nobody was found" in manager.text(LIST, q="nobody at all")
    assert "Nobody was found" in manager.text(LIST, q='"!!! (')
    text = manager.text(LIST)
    assert NAME in text and "Øystein" in text


def test_agents_find_only_whose_address_or_order_they_know(log_in: Logged, engine: Engine) -> None:
    life = live(engine)
    agent = log_in("agent")
    assert "<table>" not in agent.page(LIST)
    for vague in ("Lucia", "lucia.moreno", "2000", "FJ-2000", "@example.com", "L"):
        assert "<table>" not in agent.page(LIST, q=vague), vague
    assert "<table>" not in agent.page(LIST, segment="champions", stage="trust")
    for exact in (EMAIL, "FJ-20001"):
        page = agent.page(LIST, q=exact)
        assert f'href="/console/customers/{life.customer}">L. M.</a>' in page
        assert NAME not in page


def test_lists_by_segment_and_stage(log_in: Logged, engine: Engine) -> None:
    life = live(engine)
    somebody(engine, "Ola Nordmann", "ola@example.com", stage="know")
    with session_scope(engine) as session:
        session.get_one(CustomerValue, life.customer).segment = "champions"
    manager = log_in("manager")
    champions = manager.text(LIST, segment="champions")
    assert NAME in champions and "Ola" not in champions
    known = manager.text(LIST, stage="know")
    assert "Ola Nordmann" in known and NAME not in known


def test_long_lists_go_on(log_in: Logged, engine: Engine) -> None:
    for number in range(53):
        somebody(engine, f"Person {number:02}", f"p{number}@example.com")
    manager = log_in("manager")
    first = manager.page(LIST, stage="know")
    assert first.count("<tr>") == 51 and "Person 03" in first and "Person 02" not in first
    more = first.split('<a class="button" href="?')[1].split('"')[0].replace("&amp;", "&")
    rest = manager.page(f"{LIST}?{more}")
    assert rest.count("<tr>") == 4 and "Person 00" in rest and "More</a>" not in rest


def test_page_of_a_customer_has_everything(log_in: Logged, engine: Engine) -> None:
    life = live(engine)
    with session_scope(engine) as session:
        points.burn(session, life.customer, 20, key="test:burned", reason="test")
    agent = log_in("agent")
    agent.page(f"{LIST}/{life.customer}")
    agent.page(f"/console/conversations/{life.conversation}")
    manager = log_in("manager")
    text = manager.text(f"{LIST}/{life.customer}")
    for shown in (
        NAME,
        EMAIL,
        "FJ-20000",
        "TRACK778899",
        "Earned",
        "Spent",
        "300",
        "Torn when it arrived",
        "WhatsApp, English",
        "shop form",
        "chat-1",
        "Ada Agent",
        "became part of this one",
    ):
        assert shown in text, shown
    assert "Who looked" not in agent.text(f"{LIST}/{life.customer}")
    assert manager.get(f"{LIST}/99999").status_code == 404
    assert manager.get(f"{LIST}/99999999999999").status_code == 404


def test_searches_and_looks_are_kept_without_what_was_typed(log_in: Logged, engine: Engine) -> None:
    life = live(engine)
    agent = log_in("agent")
    agent.page(LIST, q=EMAIL)
    for _ in range(2):
        agent.page(f"{LIST}/{life.customer}")
    with read_scope(engine) as session:
        kept = [
            (one.action, one.subject_id, one.details)
            for one in session.scalars(
                select(AuditEvent).where(AuditEvent.subject == "customer").order_by(AuditEvent.id)
            )
        ]
    assert kept == [
        ("search", None, {"found": 1, "ids": [life.customer]}),
        ("look", str(life.customer), {"full": False}),
    ]


@pytest.mark.parametrize("path", [LIST, f"{LIST}/1"])
def test_strangers_see_nothing(log_in: Logged, engine: Engine, path: str) -> None:
    live(engine)
    agent = log_in("agent")
    agent.post("/console/logout")
    assert NAME not in agent.get(path).text
    assert agent.get(path).url.path == "/console/login"


def test_staff_see_what_was_decided_and_take_down_that_somebody_wants_nothing(
    log_in: Logged, engine: Engine
) -> None:
    life = live(engine)
    with session_scope(engine) as session:
        for outcome, reason, channel in (("never", "too_costly", None), ("send", "allowed", "whatsapp")):
            session.add(
                ContactDecision(
                    customer_id=life.customer,
                    journey="thank_you",
                    step="thanks",
                    outcome=outcome,
                    reason=reason,
                    channel=channel,
                )
            )
    agent, path = log_in("agent"), f"{LIST}/{life.customer}"
    journey = definition.load_all()["thank_you"].name
    for page in (path, f"/console/conversations/{life.conversation}"):
        text = agent.text(page)
        assert text.index(f"{journey} Sent") < text.index(f"{journey} Not sent"), page
        assert "It costs more than they are worth" in text
    text = readable(agent.post(f"{path}/silence").text)
    assert "Nothing unasked is sent any more." in text
    assert "Wants nothing unasked" in text and "nothing: no unasked messages" in text
    with read_scope(engine) as session:
        assert not customers.granted_consents(session, life.customer)
        last = session.scalars(select(AuditEvent).where(AuditEvent.action == "end messages")).one()
        assert (last.subject, last.subject_id) == ("customer", str(life.customer))
    assert agent.post(f"{LIST}/99999/silence").status_code == 404
