"""The page of choices and the way out, over HTTP; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from email.policy import default as email_policy
from html import unescape
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import OperationalError

from rapport.customers import choices, contact, merging, repository, service
from rapport.customers.choices import Said
from rapport.customers.models import ConsentEvent, ContactPolicy, Customer, Identity
from rapport.kit import clock
from rapport.kit.database import Base, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import Settings
from rapport.outreach import service as outreach
from rapport.outreach.models import OutboxMessage
from rapport.outreach.policy.models import ContactDecision
from rapport.outreach.policy.service import told
from rapport.preferences import html
from rapport.preferences import service as preferences
from rapport.preferences.visitors import Visitors
from rapport.shop.models import Product, ProductText
from tests.customers.asking import agrees_to_mail
from tests.preferences.conftest import ANN, Visitor, link_in, path_to

MAIL, TIPS = ("newsletter", "email"), ("tips", "email")
SAID = Said("test", "test")
MULTIPART = '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
BUTTON = {"List-Unsubscribe": "One-Click"}
HOSTILE = "\"><script>alert(1)</script>\u202e\u0000'; DROP TABLE customer; --"


def subscribe(engine: Engine, customer_id: int) -> None:
    """They get the newsletter, and one waits for them."""
    with session_scope(engine) as session:
        choices.agree(session, customer_id, [MAIL], SAID)
        outreach.enqueue(
            session,
            key="news",
            purpose="newsletter",
            recipient=ANN,
            subject="s",
            text="t",
            language="en",
            customer_id=customer_id,
        )


def queued(engine: Engine) -> list[str]:
    with session_scope(engine) as session:
        return list(session.scalars(select(OutboxMessage.key).where(OutboxMessage.status == "queued")))


def everything(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with session_scope(engine) as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table))]
            for table in Base.metadata.sorted_tables
        }


def policy(engine: Engine, customer_id: int) -> ContactPolicy:
    with session_scope(engine) as session:
        found = session.get_one(ContactPolicy, customer_id)
        session.expunge(found)
        return found


@pytest.mark.parametrize("kind", ["preferences", "unsubscribe"])
def test_looking_changes_nothing(visitor: Visitor, ann: int, engine: Engine, kind: str) -> None:
    subscribe(engine, ann)
    before = everything(engine)
    for language in LANGUAGES:
        seen = visitor.get(f"{path_to(kind, ann)}?lang={language}")  # type: ignore[arg-type]
        assert seen.status_code == 200
        assert f'<html lang="{language}">' in seen.text
        assert seen.headers["Content-Security-Policy"] == html.POLICY
        assert (seen.headers["Cache-Control"], seen.headers["X-Robots-Tag"]) == ("no-store", "noindex")
        assert "<script" not in seen.text
        assert "Set-Cookie" not in seen.headers
    assert visitor.http.head(path_to(kind, ann)).status_code == 200  # type: ignore[arg-type]
    assert ANN not in seen.text  # somebody else may be reading a forwarded mail
    assert everything(engine) == before


@pytest.mark.parametrize(
    "send",
    [
        # As Gmail does it, and as RFC 8058 allows as well.
        lambda visitor, path: visitor.http.post(
            path,
            content="List-Unsubscribe=One-Click",
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"},
            follow_redirects=False,
        ),
        lambda visitor, path: visitor.http.post(
            path,
            content=MULTIPART,
            headers={"Content-Type": "multipart/form-data; boundary=x"},
            follow_redirects=False,
        ),
        lambda visitor, path: visitor.http.post(path, content="List-Unsubscribe=One-Click"),
    ],
    ids=["form", "multipart", "no type"],
)
def test_one_click(
    visitor: Visitor, ann: int, engine: Engine, send: Callable[[Visitor, str], object]
) -> None:
    subscribe(engine, ann)
    path = path_to("unsubscribe", ann, "nb")
    for _ in range(2):
        answer = send(visitor, path)
        assert answer.status_code == 200  # type: ignore[attr-defined]
        assert "Set-Cookie" not in answer.headers  # type: ignore[attr-defined]
    assert queued(engine) == []
    assert visitor.consents() == [(*MAIL, True), (*MAIL, False)]
    assert "Du er avmeldt" in visitor.get(path).text
    with session_scope(engine) as session:
        event = session.scalars(select(ConsentEvent).order_by(ConsentEvent.id.desc())).first()
        assert event is not None
        assert event.source.startswith("page:")
        assert event.source.removeprefix("page:") not in path


def test_the_header_of_a_mail_leads_there(visitor: Visitor, ann: int, engine: Engine) -> None:
    subscribe(engine, ann)
    visitor.deliver()
    (file,) = visitor.folder.glob("*.eml")
    mail = message_from_bytes(file.read_bytes(), policy=email_policy)
    assert mail["List-Unsubscribe-Post"] == "=".join(*BUTTON.items())
    path = urlsplit(mail["List-Unsubscribe"].partition(",")[0].strip("<>")).path
    assert visitor.post(path, **BUTTON).status_code == 200
    assert visitor.consents() == [(*MAIL, True), (*MAIL, False)]


def test_another_post_to_it_asks_first(visitor: Visitor, ann: int, engine: Engine) -> None:
    subscribe(engine, ann)
    answer = visitor.post(path_to("unsubscribe", ann), anything="else")
    assert answer.status_code == 200
    assert "One-Click" in answer.text
    assert queued(engine) == ["news"]


def test_saving(visitor: Visitor, ann: int, engine: Engine) -> None:
    subscribe(engine, ann)
    path = path_to("preferences", ann)
    unchanged = visitor.save(path)
    assert "Nothing was changed" in unchanged.text
    saved = visitor.save(
        path,
        consent=["tips:email", "newsletter:pigeon", HOSTILE],
        prefer=["phone"],
        refuse=["phone", "sms"],
        often=["2"],
        interest=["tents", "no-such-topic"],
        language=["nb"],
    )
    assert saved.status_code == 200
    for said in (
        "No longer by e-mail: News and offers.",
        "From now on by e-mail: Thanks and tips for what you bought.",
        "We leave you alone by SMS and phone",
        "Messages a month: 2 at most.",
        "Noted that you like: tents.",
        "Language of our messages: Norsk bokmål.",
    ):
        assert said in saved.text
    assert queued(engine) == []
    assert visitor.consents() == [(*MAIL, True), (*MAIL, False), (*TIPS, True)]
    now = policy(engine, ann)
    assert (now.preferred_channel, now.refused_channels, now.max_per_month) == (None, ["sms", "phone"], 2)
    with session_scope(engine) as session:
        assert repository.interests_of(session, ann) == ["tents"]
        assert session.get_one(Customer, ann).language == "nb"
        texts = [ProductText(language="en", name="Dome 2")]
        session.add(Product(sku="t-1", price_minor=100, currency="NOK", texts=texts))
        choices.like(session, ann, ["t-1", "long-gone"], "site")
    assert "Forgotten that you like: Dome 2 and tents." in visitor.save(path, interest=[]).text
    with session_scope(engine) as session:
        assert repository.interests_of(session, ann) == ["long-gone"]  # what was not shown was not unticked


def test_an_address_that_was_only_typed_is_asked_first(visitor: Visitor, ann: int, engine: Engine) -> None:
    with session_scope(engine) as session:
        session.execute(update(Identity).values(verified_at=None))
    path = path_to("preferences", ann)
    saved = visitor.save(path, consent=["newsletter:email", "tips:email"])
    assert "we have written to a…@example.com" in saved.text
    assert visitor.consents() == []
    (mail,) = visitor.deliver()
    visitor.post(link_in(mail))
    assert visitor.consents() == [(*MAIL, True), (*TIPS, True)]
    assert "No longer by e-mail: News and offers." in visitor.save(path, consent=["tips:email"]).text


def test_a_page_that_was_open_all_the_while_brings_nothing_back(
    visitor: Visitor, ann: int, engine: Engine
) -> None:
    subscribe(engine, ann)
    path = path_to("preferences", ann)
    old = {"was_consent": ["newsletter:email"], "consent": ["newsletter:email"], "do": ["save"]}
    visitor.post(path_to("unsubscribe", ann), **BUTTON)
    assert "Nothing was changed" in visitor.post(path, **old, often="4", was_often="4").text
    assert visitor.consents() == [(*MAIL, True), (*MAIL, False)]


def test_a_pause_and_its_end(visitor: Visitor, ann: int, engine: Engine) -> None:
    subscribe(engine, ann)
    path = path_to("preferences", ann)
    paused = visitor.post(path, do="pause", months="3")
    assert "Nothing comes unasked until" in paused.text
    assert queued(engine) == []
    until = policy(engine, ann).paused_until
    assert until is not None
    assert timedelta(days=85) < until - clock.now() < timedelta(days=95)
    for months in ("2", "", "-1", HOSTILE):
        visitor.post(path, do="pause", months=months)
    assert policy(engine, ann).paused_until == until
    assert "The break is over" in visitor.post(path, do="resume").text
    assert policy(engine, ann).paused_until is None


def test_goodbye_and_the_way_back(visitor: Visitor, ann: int, engine: Engine) -> None:
    subscribe(engine, ann)
    path = path_to("preferences", ann)
    gone = visitor.post(path, do="goodbye")
    assert "Thank you for the time with us" in gone.text
    assert queued(engine) == []
    with session_scope(engine) as session:
        assert repository.stage_of(session, ann) == "know"
        assert not agrees_to_mail(session, ann)
    back = visitor.save(path, consent=["newsletter:email"])
    assert "From now on by e-mail: News and offers." in back.text
    with session_scope(engine) as session:
        assert agrees_to_mail(session, ann)
        assert "phone" in contact.wishes(session, ann).refused


def test_what_was_sent_is_told_with_its_reason(visitor: Visitor, ann: int, engine: Engine) -> None:
    with session_scope(engine) as session:
        sent = {"journey": "thank_you", "step": "thanks", "outcome": "send", "reason": "allowed"}
        session.add(ContactDecision(customer_id=ann, channel="email", **sent))
        held = {"journey": "win_back", "step": "first", "outcome": "never", "reason": "no_consent"}
        session.add(ContactDecision(customer_id=ann, **held))
    with session_scope(engine) as session:
        said = [one.text for one in told(session, ann, "nb", 10)]
    assert len(said) == 2
    page = unescape(visitor.get(path_to("preferences", ann, "nb")).text)
    assert all(one in page for one in said)


def test_no_link_of_somebody_else_works(visitor: Visitor, ann: int, engine: Engine) -> None:
    subscribe(engine, ann)
    preferences, unsubscribe = path_to("preferences", ann), path_to("unsubscribe", ann)
    wrong = [
        preferences[:-1] + ("a" if preferences[-1] != "a" else "b"),
        preferences.replace("/p/", "/u/"),
        unsubscribe.replace("/u/", "/p/"),
        path_to("preferences", ann + 1),
        path_to("unsubscribe", 2**31 - 1),
        "/p/x",
        "/u/%00%F0%9F%98%80",
        "/p/<script>",
        "/u/" + "a" * 5000,
    ]
    before = everything(engine)
    for path in wrong:
        for answer in (
            visitor.get(path),
            visitor.post(path, do="goodbye", **BUTTON),
        ):
            assert answer.status_code == 404
            assert "Send me a fresh link" in answer.text
            assert "<script" not in answer.text
    assert everything(engine) == before


def test_links_end(visitor: Visitor, ann: int, engine: Engine) -> None:
    subscribe(engine, ann)
    preferences, unsubscribe = path_to("preferences", ann), path_to("unsubscribe", ann)
    with clock.freeze(clock.now() + timedelta(days=61)):
        late = visitor.post(preferences, do="goodbye")
        assert late.status_code == 410
        assert queued(engine) == ["news"]
        # The way out still works, but does not lead to their wishes any more.
        answer = visitor.post(unsubscribe, **BUTTON)
        assert "You are unsubscribed" in answer.text
        assert "/p/" not in answer.text
        assert queued(engine) == []
        token = preferences.rpartition("/")[2]
        assert token in late.text
        sent = [visitor.post("/preferences/link", token=token) for _ in range(2)]
        assert [answer.status_code for answer in sent] == [200, 200]
        (mail,) = visitor.deliver()  # once in an hour
        assert mail.startswith(ANN)
        assert visitor.get(link_in(mail)).status_code == 200
    with clock.freeze(clock.now() + timedelta(days=731)):
        assert visitor.post(unsubscribe, **BUTTON).status_code == 410


def test_what_the_bot_hands_out_opens_the_page_for_an_hour(
    visitor: Visitor, ann: int, engine: Engine
) -> None:
    """Who finds the talk later, at the same computer, changes nothing by it."""
    subscribe(engine, ann)
    path = path_to("chat", ann)
    assert visitor.get(path).status_code == 200
    assert path in visitor.save(path, refuse=["sms"]).text
    assert visitor.get(path.replace("/p/", "/u/")).status_code == 404
    with clock.freeze(clock.now() + timedelta(minutes=61)):
        assert visitor.post(path, do="goodbye").status_code == 410
        assert queued(engine) == ["news"]
        visitor.post("/preferences/link", token=path.rpartition("/")[2])
        # By day the newsletter goes out with it.
        (mail,) = (mail for mail in visitor.deliver() if "did not ask for it" in mail)
        assert mail.startswith(ANN)


def test_a_fresh_link_tells_nobody_who_is_known(visitor: Visitor, ann: int) -> None:
    known = visitor.post("/preferences/link?lang=es", email=ANN)
    unknown = visitor.post("/preferences/link?lang=es", email="nobody@example.com")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    (mail,) = visitor.deliver()
    assert mail.startswith(ANN)
    wrong = visitor.post("/preferences/link", email=HOSTILE)
    assert wrong.status_code == 422
    assert "<script" not in wrong.text


def test_a_link_follows_its_customer(visitor: Visitor, ann: int, engine: Engine) -> None:
    with session_scope(engine) as session:
        prospect = service.ensure_customer(session, identities=[("telegram", "77")]).id
    path = path_to("unsubscribe", prospect)
    with session_scope(engine) as session:
        merging.merge(session, prospect, ann, "test")
    subscribe(engine, ann)
    assert visitor.post(path, **BUTTON).status_code == 200
    assert visitor.consents() == [(*MAIL, True), (*MAIL, False)]


def test_a_link_of_who_was_erased_is_worth_nothing(visitor: Visitor, ann: int, engine: Engine) -> None:
    path = path_to("preferences", ann)
    with session_scope(engine) as session:
        session.execute(delete(Identity).where(Identity.customer_id == ann))
    assert visitor.get(path).status_code == 404
    with session_scope(engine) as session:
        session.execute(delete(Customer).where(Customer.id == ann))
    assert visitor.get(path).status_code == 404
    with session_scope(engine) as session:
        # The number is given again.
        session.add(Customer(id=ann, created_at=clock.now() + timedelta(seconds=5)))
        session.flush()
        session.add(Identity(customer_id=ann, kind="email", value="someone@example.com"))
    assert visitor.get(path).status_code == 404
    assert visitor.post(path, do="goodbye").status_code == 404


def test_another_sites_page_cannot_send_it(visitor: Visitor, ann: int, engine: Engine) -> None:
    subscribe(engine, ann)
    answer = visitor.http.post(
        path_to("preferences", ann), data={"do": "goodbye"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert queued(engine) == ["news"]


def test_too_much_is_too_much(visitor: Visitor, ann: int, engine: Engine, settings: Settings) -> None:
    wrong = [visitor.get("/u/x").status_code for _ in range(31)]
    assert (wrong[29], wrong[30]) == (404, 429)
    # A provider's servers come with everybody's links from one address.
    assert visitor.post(path_to("unsubscribe", ann), **BUTTON).status_code == 200
    used = Visitors(settings, engine)
    for _ in range(30):
        used.count_link("one")
    used.count_link("another")


def test_the_database_may_be_away(visitor: Visitor, ann: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_arguments: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(preferences, "customer_of", gone)
    answer = visitor.get(f"{path_to('preferences', ann)}?lang=ro")
    assert answer.status_code == 503
    assert "Ceva nu merge la noi" in answer.text
