"""Journeys in the console: what is read, changed, tried and gone back to."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import Engine, func, select

from rapport.console.journeys import BEGINS, GOALS, VERDICTS
from rapport.console.names import WORDS
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.outreach.journeys import rules, service
from rapport.outreach.journeys.definition import load_all
from rapport.outreach.journeys.delivery import key_of
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.journeys.triggers import KINDS
from rapport.outreach.models import OutboxMessage
from rapport.outreach.policy.models import ContactDecision
from rapport.outreach.policy.rules import REASONS
from rapport.staff.models import AuditEvent
from tests.console.client import StaffClient, readable
from tests.console.conftest import Logged
from tests.console.lives import EMAIL, live
from tests.console.test_settings import form
from tests.loyalty.offers.shop import order

PATH = "/console/journeys/win_back"


@pytest.fixture
def manager(log_in: Logged) -> StaffClient:
    return log_in("manager")


def test_everything_has_its_words() -> None:
    assert set(BEGINS) == set(KINDS)
    assert set(VERDICTS) == {"too_few", "unclear", "better", "worse"}
    assert {journey.goal for journey in load_all().values()} <= {*GOALS, "none"}
    assert set(WORDS["why"]) >= {*REASONS, *rules.REASONS}


def test_all_of_them_and_one(manager: StaffClient, engine: Engine) -> None:
    assert "Nobody has entered a journey" in manager.text("/console/journeys")
    life = live(engine)
    listed = manager.text("/console/journeys")
    assert "Win back" in listed and "A good customer has been away for long" in listed
    shown = manager.text(PATH)
    assert "Lucía Moreno" in shown and "Too few people yet" in shown
    assert "Nobody entered this journey" in manager.text("/console/journeys/birthday")
    assert manager.get("/console/journeys/no_such").status_code == 404
    rows = manager.get(f"{PATH}/steps.csv").text.splitlines()
    assert rows[0].endswith("Step,Sent,Not sent,Left before,Waiting") and rows[1] == "question,0,0,0,1"
    with read_scope(engine) as session:
        look = session.scalars(
            select(AuditEvent).where(AuditEvent.subject == "journey", AuditEvent.subject_id == "win_back")
        ).first()
        assert look is not None and look.details == {"customers": [life.customer]}


def test_what_became_of_what_was_sent_and_what_failed(manager: StaffClient, engine: Engine) -> None:
    life = live(engine)
    with session_scope(engine) as session:
        step = session.scalars(select(JourneyStep).where(JourneyStep.status == "waiting")).one()
        step.status, step.channel, step.step = "sent", "email", "question"
        again = JourneyStep(
            entry_id=step.entry_id,
            customer_id=life.customer,
            journey=step.journey,
            step="offer",
            trigger_key=step.trigger_key,
            planned_at=step.planned_at,
            due_at=step.due_at,
            status="skipped",
            reason="failed",
        )
        session.add(again)
        about = {"purpose": "newsletter", "asked": False, "customer_id": life.customer, "language": "en"}
        session.add(OutboxMessage(key=key_of(step), message_id="<1@x>", status="bounced", **about))
    shown = manager.text(PATH)
    assert "E-mail: 1 Came back: 1" in shown
    assert "A mistake of ours kept it from being decided: 1" in shown


def test_a_change_is_previewed_saved_and_taken_back(manager: StaffClient, engine: Engine) -> None:
    fields = form(manager.page(f"{PATH}/edit"))
    given = {"segments": ["at_risk"]}
    del fields["segments"]
    changed = fields | {"question.words.nb.subject": "Hei igjen", "offer.after_days": "21", "control": "30"}
    changed["offer.offer"] = "loyal"
    looked = manager.post(f"{PATH}/edit", **changed, **given, do="preview").text
    assert "Hei igjen" in looked and "What changes" in looked
    with read_scope(engine) as session:
        assert service.journey(session, "win_back") == load_all()["win_back"]
    assert "Saved." in manager.post(f"{PATH}/edit", **changed, **given, do="save").text
    with read_scope(engine) as session:
        now = service.journey(session, "win_back")
        assert now.steps[0].words.nb.subject == "Hei igjen" and now.steps[1].after_days == 21
        assert now.steps[1].offer == "loyal"
        assert now.control == 0.3 and now.audience.segments == ("at_risk",) and now.audience.min_orders == 2
        assert now.steps[0].words.en == load_all()["win_back"].steps[0].words.en
    assert manager.post(f"{PATH}/edit", **changed, **given, do="save").status_code == 409  # an old page
    changed |= {"offer.after_days": "2.5", "base": "1"}
    assert "after 2.5 days" in readable(manager.post(f"{PATH}/edit", **changed, **given, do="save").text)
    assert "Mia Manager" in manager.text(f"{PATH}/history")
    assert manager.post(f"{PATH}/restore", version="0", base="2").status_code == 200
    with read_scope(engine) as session:
        assert service.journey(session, "win_back") == load_all()["win_back"]


def test_mistakes_are_shown_at_their_fields(manager: StaffClient) -> None:
    fields = form(manager.page(f"{PATH}/edit"))
    wrong = fields | {
        "question.words.en.text": "Dear {nonsense}",
        "question.words.es.subject": "",
        "control": "lots",
        "offer.after_days": "-1",
        "offer.offer": "birthday",  # of another occasion
    }
    answer = manager.post(f"{PATH}/edit", **wrong, do="save")
    assert answer.status_code == 422
    for place in (
        "question.words.en.text",
        "question.words.es.subject",
        "control",
        "offer.after_days",
        "offer.offer",
    ):
        assert f'id="mistake-{place}"' in answer.text, place
    assert "There is no placeholder {nonsense}" in unescape(answer.text)


def test_what_somebody_would_get_and_who_would(manager: StaffClient, engine: Engine) -> None:
    life = live(engine)
    seen = manager.post(f"{PATH}/preview", customer=EMAIL).text
    assert "Lucía Moreno" in seen and "Hace tiempo que no nos haces un pedido" in seen
    assert "A complaint is open" in seen
    assert "No customer has this" in manager.post(f"{PATH}/preview", customer="no@example.com").text
    with session_scope(engine) as session:
        for number in range(3):
            buyer = Customer(name=f"B{number}")
            session.add(buyer)
            session.flush()
            order(
                session,
                buyer.id,
                clock.now() - timedelta(days=9),
                delivered_at=clock.now() - timedelta(days=5),
            )
        session.scalars(select(JourneyStep)).one().due_at = clock.now()
    tried = manager.post("/console/journeys/try").text
    assert "1 message is due at this moment. Nothing was sent or changed." in tried
    assert "Lucía Moreno" in tried
    assert "3 people more fit, but may not be written to" in tried and "They did not agree to it: 3" in tried
    with read_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(ContactDecision)) == 0
        looks = session.scalars(select(AuditEvent.details).where(AuditEvent.action == "try journeys")).all()
        assert looks == [{"found": 1, "customers": [life.customer]}], "whose names were shown is kept"
        assert session.scalar(select(func.count()).select_from(JourneyEntry)) == 1
