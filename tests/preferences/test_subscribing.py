"""Subscribing with a double yes, over HTTP and with real mails; on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import Engine, func, select

from rapport.customers import repository
from rapport.customers.models import ConsentEvent, Customer, Identity
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from rapport.outreach.models import OutboxMessage
from rapport.preferences import rules, subscribing
from rapport.preferences.models import Subscription
from tests.fake_rasa import FakeRasa
from tests.preferences.conftest import ANN, Visitor, link_in
from tests.running import RunningApp

NEW = "new.person@example.com"
MAIL = ("newsletter", "email")
SHOP = {"Origin": "https://shop.example"}


def asked(visitor: Visitor) -> int:
    """How many mails there are that ask for a yes."""
    with visitor.session() as session:
        query = select(func.count()).where(OutboxMessage.purpose == "subscription")
        return session.scalar(query) or 0


def consent(engine: Engine) -> ConsentEvent:
    with session_scope(engine) as session:
        event = session.scalars(select(ConsentEvent)).one()
        session.expunge(event)
        return event


def test_a_stranger_subscribes(visitor: Visitor, engine: Engine) -> None:
    answer = visitor.http.post(
        "/api/subscribe", json={"email": f" {NEW.upper()}", "language": "ro-RO"}, headers=SHOP
    )
    assert answer.status_code == 202
    assert answer.json()["text"].startswith("Ți-am trimis un mesaj.")
    (mail,) = visitor.deliver()
    assert mail.startswith(NEW)
    assert "Noutăți și oferte" in mail
    path = link_in(mail)
    for _ in range(3):  # a scanner looks, and the person
        question = visitor.get(path)
        assert "n…@example.com" in question.text
        assert "<button" in question.text
    assert visitor.http.head(path).status_code == 200
    assert visitor.consents() == []
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 0
    at = clock.now()
    welcome = visitor.post(path)
    assert "Bine ai venit!" in welcome.text
    event = consent(engine)
    assert (event.purpose, event.channel, event.granted) == (*MAIL, True)
    assert (event.wording_version, event.source) == (rules.WORDING, "subscribe:shop.example")
    assert event.proof is not None
    assert set(event.proof) == {"requested_at", "requested_from", "confirmed_at", "confirmed_from"}
    assert event.proof["confirmed_at"] >= at.isoformat() >= event.proof["requested_at"]
    assert len(event.proof["confirmed_from"]) == 64
    with session_scope(engine) as session:
        identity = session.scalars(select(Identity)).one()
        assert (identity.value, identity.verified_at is not None) == (NEW, True)
        customer = session.scalars(select(Customer)).one()
        assert (customer.stage, customer.language) == ("interest", "ro")
        assert session.scalars(select(Subscription.address)).one() is None
    # Once: pressing it again, or looking, changes nothing.
    assert visitor.post(path).status_code == 200
    assert "Bine ai venit!" in visitor.get(path).text
    assert len(visitor.consents()) == 1
    choose = welcome.text.partition('<p><a href="')[2].partition('"')[0]
    assert choose.startswith("/p/")
    assert visitor.get(choose).status_code == 200


def test_a_known_address_gives_the_consent_to_its_customer(
    visitor: Visitor, ann: int, engine: Engine
) -> None:
    with session_scope(engine) as session:
        session.scalars(select(Identity)).one().verified_at = None
    known = visitor.post("/subscribe?lang=nb", email=ANN)
    unknown = visitor.post("/subscribe?lang=nb", email=NEW)
    assert (known.status_code, known.text) == (200, unknown.text)  # nobody learns who is known
    mails = visitor.deliver()
    assert len(mails) == 2
    (mail,) = [mail for mail in mails if mail.startswith(ANN)]
    other = next(one for one in mails if one is not mail)
    assert mail.partition("\n")[2].replace(link_in(mail), "") == other.partition("\n")[2].replace(
        link_in(other), ""
    )
    assert visitor.post(link_in(mail)).status_code == 200
    assert consent(engine).customer_id == ann
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 1
        assert session.scalars(select(Identity.verified_at)).one() is not None


def test_a_form_of_the_shops_own_page(visitor: Visitor, engine: Engine) -> None:
    form = {"email": NEW, "language": "es", "purposes": ["newsletter", "tips"], "website": ""}
    answer = visitor.http.post("/api/subscribe", data=form, headers=SHOP)
    assert answer.status_code == 200
    assert "Te hemos enviado un correo" in answer.text
    (mail,) = visitor.deliver()
    assert "Novedades y ofertas y Agradecimientos" in mail
    visitor.post(link_in(mail))
    assert visitor.consents() == [(*MAIL, True), ("tips", "email", True)]
    wrong = visitor.http.post("/api/subscribe", data={"email": '"><script>', "language": "es"})
    assert wrong.status_code == 422
    assert "&#34;&gt;&lt;script&gt;" in wrong.text


def test_a_machine_falls_into_the_trap(visitor: Visitor) -> None:
    for body in ({"json": {"email": NEW, "website": "x"}}, {"data": {"email": NEW, "website": "x"}}):
        assert visitor.http.post("/api/subscribe", **body).status_code in {200, 202}
    assert asked(visitor) == 0


def test_what_is_no_address_or_purpose(visitor: Visitor) -> None:
    bodies: list[object] = [
        {"email": "no address"},
        {"email": "a@example.com\r\nBcc: b@example.com"},
        {"email": "a@example.com, b@example.com"},
        {"email": "a\0@example.com"},
        {"email": "a" * 400 + "@example.com"},
        {"email": NEW, "purposes": []},
        {"email": NEW, "purposes": ["spam"]},
        {"email": NEW, "more": 1},
        {"email": ["a@example.com"]},
        {},
        [],
    ]
    for body in bodies:
        visitor.move()
        answer = visitor.http.post("/api/subscribe", json=body)
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-request"
    deep = visitor.http.post(
        "/api/subscribe", content="[" * 60_000, headers={"Content-Type": "application/json"}
    )
    assert deep.status_code == 422
    assert asked(visitor) == 0


def test_a_mailbox_is_asked_a_few_times_only(visitor: Visitor) -> None:
    """Whoever wants to fill somebody's mailbox may write its address in many ways."""
    start = clock.now()
    said = set()
    for minutes in (0, 0.5, 2, 4, 6, 60):
        with clock.freeze(start + timedelta(minutes=minutes)):
            said.add(visitor.post("/subscribe", email=f"New.Person+{minutes}@example.com").text)
    assert asked(visitor) == 3
    assert len(said) == 1
    with clock.freeze(start + timedelta(days=2)):
        visitor.post("/subscribe", email=NEW)
    assert asked(visitor) == 4


def test_what_is_asked_for_meanwhile_is_asked_in_one_go(visitor: Visitor) -> None:
    for purpose in ("newsletter", "alerts"):
        visitor.http.post("/api/subscribe", json={"email": NEW, "purposes": [purpose]})
    (mail,) = visitor.deliver()
    assert "News and offers and Alerts you asked for" in visitor.get(link_in(mail)).text
    visitor.post(link_in(mail))
    assert visitor.consents() == [(*MAIL, True), ("alerts", "email", True)]


def test_nobody_elsewhere_adds_to_what_somebody_agrees_to(visitor: Visitor) -> None:
    visitor.http.post("/api/subscribe", json={"email": NEW})
    (mail,) = visitor.deliver()
    with session_scope(visitor.engine) as session:
        subscribing.request(session, NEW, "en", source="page", client="203.0.113.9", purposes=("tips",))
    visitor.post(link_in(mail))
    assert visitor.consents() == [(*MAIL, True)]


def test_a_client_may_ask_for_so_much(visitor: Visitor) -> None:
    answers = [visitor.post("/subscribe", email=f"a{number}@example.com").status_code for number in range(11)]
    assert answers == [200] * 10 + [429]
    assert (
        visitor.http.post("/api/subscribe", json={"email": NEW}).json()["type"]
        == "/problems/too-many-requests"
    )
    assert asked(visitor) == 10


def test_who_comes_too_late_begins_anew(visitor: Visitor, engine: Engine) -> None:
    visitor.post("/subscribe", email=NEW)
    path = link_in(visitor.deliver()[0])
    with clock.freeze(clock.now() + timedelta(days=7, minutes=1)):
        for answer in (visitor.get(path), visitor.post(path)):
            assert answer.status_code == 410
            assert 'href="/subscribe' in answer.text
    assert visitor.consents() == []
    with clock.freeze(clock.now() + timedelta(days=7, hours=2)):
        assert subscribing.forget(engine) == "1 old subscriptions"
    assert visitor.post(path).status_code == 410  # it is not there any more
    assert visitor.post("/s/" + "a" * 40).status_code == 404


def test_two_presses_at_once_subscribe_once(visitor: Visitor, engine: Engine) -> None:
    visitor.post("/subscribe", email=NEW)
    path = link_in(visitor.deliver()[0])
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: visitor.post(path).status_code, range(4)))
    assert answers == [200] * 4
    assert visitor.consents() == [(*MAIL, True)]
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 1


def test_two_links_to_one_mailbox_make_one_person(visitor: Visitor, engine: Engine) -> None:
    start = clock.now()
    visitor.post("/subscribe", email=NEW)
    with clock.freeze(start + timedelta(minutes=2)):
        visitor.post("/subscribe", email=NEW)
        mails = visitor.deliver()
        assert len(mails) == 2
        for mail in mails:
            assert visitor.post(link_in(mail)).status_code == 200
    assert visitor.consents() == [(*MAIL, True)]
    with session_scope(engine) as session:
        customer = session.scalars(select(Customer)).one()
        assert repository.granted_consents(session, customer.id) == [MAIL]


def test_other_sites_may_embed_the_form(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, allowed_origins="https://shop.example")
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    try:
        asked = running.client.options("/api/subscribe", headers={**SHOP, **preflight})
        assert asked.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        other = running.client.options(
            "/api/subscribe", headers={"Origin": "https://evil.example", **preflight}
        )
        assert "Access-Control-Allow-Origin" not in other.headers
        page = running.client.get("/subscribe", headers=SHOP)
        assert "Access-Control-Allow-Origin" not in page.headers
    finally:
        running.stop()


def test_who_subscribes_after_all_others_were_forgotten_is_asked_as_well(
    visitor: Visitor, engine: Engine
) -> None:
    """Where a database gives a number again, the mail under the old one does not stand for the new one."""
    visitor.http.post("/api/subscribe", json={"email": NEW})
    with clock.freeze(clock.now() + timedelta(days=8)):
        assert subscribing.forget(engine) == "1 old subscriptions"
        visitor.http.post("/api/subscribe", json={"email": "later@example.com"})
    assert asked(visitor) == 2
