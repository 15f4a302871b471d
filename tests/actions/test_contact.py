"""How often, not for a while, joining, leaving, and by which way not; in all languages, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.conversations import values
from rapport.customers import contact, service
from rapport.customers.models import ConsentEvent, ContactPolicy
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import get_settings
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.outreach import service as outreach
from rapport.outreach.models import OutboxMessage
from rapport.preferences import links
from tests.actions.conftest import ANN, NOW, Chat, rows
from tests.customers.asking import agrees_to_mail

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
PAGE = "utter_choices_page"


def policy(engine: Engine, customer_id: int) -> ContactPolicy:
    with session_scope(engine) as session:
        found = session.get_one(ContactPolicy, customer_id)
        session.expunge(found)
        return found


def said(chat: Chat, text: str) -> dict[str, list[str]]:
    """The slots that Rasa fills with what the app finds in a message."""
    found: dict[str, list[str]] = {"channel": [], "refused_channel": []}
    for item in values.find(text, NOW.date(), "NOK"):
        found.setdefault(item["entity"], []).append(item["value"])
    return found


@pytest.fixture
def subscribed(engine: Engine, ann: int) -> int:
    with session_scope(engine) as session:
        contact.subscribe(session, ann, "earlier:1")
    return ann


# How often


@EVERY_LANGUAGE
def test_a_number_is_set_and_said(engine: Engine, anns_chat: Chat, subscribed: int, language: str) -> None:
    for wish, response, shown in [
        ("2", "utter_frequency_set", "2"),
        ("30", "utter_frequency_set", "30"),
        ("1", "utter_frequency_once", ""),
        ("0", "utter_frequency_lowest", ""),
        ("more", "utter_frequency_set", "2"),
        ("less", "utter_frequency_lowest", ""),
    ]:
        answer = anns_chat.run("action_set_frequency", frequency=wish, language=language)
        assert (answer.said, answer.slots) == ([response], {"frequency": None})
        assert shown in answer.texts(language)[0]
    assert policy(engine, subscribed).max_per_month == 1


def test_less_halves_what_there_is_once_for_each_message(anns_chat: Chat, subscribed: int) -> None:
    first, again = (anns_chat.run("action_set_frequency", "m1", frequency="less") for _ in range(2))
    assert first == again
    assert first.messages[0]["count"] == "2"
    assert anns_chat.run("action_set_frequency", "m2", frequency="less").said == ["utter_frequency_lowest"]


@EVERY_LANGUAGE
@pytest.mark.parametrize("wish", ["", None, "often"])
def test_without_a_number_it_says_how_it_is_and_asks(
    anns_chat: Chat, subscribed: int, wish: str | None, language: str
) -> None:
    answer = anns_chat.run("action_set_frequency", frequency=wish, language=language)
    assert answer.said == ["utter_frequency_which"]
    assert "4" in answer.texts(language)[0]


@EVERY_LANGUAGE
def test_who_gets_nothing_is_told_so(anns_chat: Chat, language: str) -> None:
    answer = anns_chat.run("action_set_frequency", frequency="1", language=language)
    assert answer.said == ["utter_frequency_once", "utter_not_subscribed"]
    assert all(answer.texts(language))


# A pause


@EVERY_LANGUAGE
def test_a_pause_says_its_end(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    queue(engine, "newsletter")
    answer = anns_chat.run("action_pause_contact", period="P3M", language=language)
    assert (answer.said, answer.slots) == (["utter_paused"], {"period": None})
    assert "2026" in answer.texts(language)[0]
    assert policy(engine, ann).paused_until == datetime(2026, 5, 31, 22, tzinfo=UTC)
    assert queued(engine) == []
    asked = anns_chat.run("action_pause_contact", period="", language=language)
    assert asked.said == ["utter_pause_change"]
    assert "2026" in asked.texts(language)[0]
    for response in ("utter_pause_ended", "utter_pause_none"):
        answer = anns_chat.run("action_pause_contact", period="P0D", language=language)
        assert answer.said == [response]
        assert answer.texts(language)
    assert policy(engine, ann).paused_until is None


@EVERY_LANGUAGE
def test_without_a_time_it_asks(engine: Engine, anns_chat: Chat, language: str) -> None:
    for period in ("", None, "2020-01-01", "P0M", "some day"):
        answer = anns_chat.run("action_pause_contact", period=period, language=language)
        assert answer.said == ["utter_pause_how_long"]
        assert answer.texts(language)
    assert rows(engine, ContactPolicy) == 0


@EVERY_LANGUAGE
@pytest.mark.parametrize("period", ["P24M", "P99Y", "2999-01-01"])
def test_two_years_are_the_most(
    engine: Engine, anns_chat: Chat, ann: int, period: str, language: str
) -> None:
    answer = anns_chat.run("action_pause_contact", period=period, language=language)
    assert answer.said == ["utter_paused_longest"]
    assert "2028" in answer.texts(language)[0]
    assert policy(engine, ann).paused_until == datetime(2028, 2, 29, 23, tzinfo=UTC)


# Joining and leaving


@EVERY_LANGUAGE
def test_joining_says_how_often_and_how_to_leave(
    engine: Engine, anns_chat: Chat, ann: int, language: str
) -> None:
    first, again = (anns_chat.run("action_subscribe", "m1", language=language) for _ in range(2))
    assert first == again
    assert first.said == ["utter_subscribed", PAGE]
    assert "4" in first.texts(language)[0]
    once_more = anns_chat.run("action_subscribe", "m2", language=language)
    assert once_more.said == ["utter_already_subscribed", PAGE]
    assert "4" in once_more.texts(language)[0]
    with read_scope(engine) as session:
        [event] = session.scalars(select(ConsentEvent))
        assert (event.customer_id, event.purpose, event.channel, event.granted) == (
            ann,
            "newsletter",
            "email",
            True,
        )
        assert event.source == f"chat:{anns_chat.id}:m1"
        assert event.wording_version
        assert agrees_to_mail(session, ann)


@EVERY_LANGUAGE
def test_a_pause_outlives_joining_and_is_told(anns_chat: Chat, language: str) -> None:
    anns_chat.run("action_pause_contact", period="P1M")
    answer = anns_chat.run("action_subscribe", language=language)
    assert answer.said == ["utter_subscribed", "utter_pause_still", PAGE]
    assert "2026" in answer.texts(language)[1]


@EVERY_LANGUAGE
def test_leaving_takes_effect_at_once(
    engine: Engine, anns_chat: Chat, subscribed: int, language: str
) -> None:
    queue(engine, "newsletter")
    queue(engine, "verification_code")
    first, again = (anns_chat.run("action_unsubscribe", "m1", language=language) for _ in range(2))
    assert first == again
    assert (first.said, first.events) == (["utter_unsubscribed", PAGE], [])
    assert first.texts(language)
    assert queued(engine) == ["verification_code"]
    with read_scope(engine) as session:
        assert not contact.is_subscribed(session, subscribed)
    once_more = anns_chat.run("action_unsubscribe", "m2", language=language)
    assert once_more.said == ["utter_already_unsubscribed", PAGE]
    assert once_more.texts(language)
    assert rows(engine, ConsentEvent) == 2


@EVERY_LANGUAGE
def test_nobody_has_to_be_verified_to_learn_how_to_leave(chat: Chat, ann: int, language: str) -> None:
    answer = chat.run("action_unsubscribe", language=language)
    assert answer.said == ["utter_unsubscribe_by_link"]
    assert answer.texts(language)
    assert answer.next == ["verification_form"]
    assert answer.slots["pending_action"] == "action_unsubscribe"


def queue(engine: Engine, purpose: str) -> None:
    with session_scope(engine) as session:
        outreach.enqueue(
            session, key=purpose, purpose=purpose, recipient=ANN, subject="s", text="t", language="en"
        )


def queued(engine: Engine) -> list[str]:
    with read_scope(engine) as session:
        return list(session.scalars(select(OutboxMessage.purpose).where(OutboxMessage.status == "queued")))


# Channels

SENTENCES = {
    "en": ("don't call me, e-mail me", "no more SMS"),
    "es": ("no me llames, escríbeme al correo", "no más sms"),
    "nb": ("ikke ring meg, send e-post", "ikke flere sms"),
    "ro": ("nu mă sunați, scrieți-mi pe e-mail", "fără sms-uri"),
}


@EVERY_LANGUAGE
def test_one_preferred_and_one_refused_in_a_sentence(
    engine: Engine, anns_chat: Chat, ann: int, language: str
) -> None:
    slots = said(anns_chat, SENTENCES[language][0]) | {"channel": ["email"]}
    answer = anns_chat.run("action_set_channel", **slots, language=language)
    assert (answer.said, answer.slots) == (
        ["utter_channel_changed", PAGE],
        {"channel": None, "refused_channel": None},
    )
    [text, _] = answer.texts(language)
    assert any(word in text for word in ("phone", "teléfono", "telefon"))
    assert (policy(engine, ann).preferred_channel, policy(engine, ann).refused_channels) == (
        "email",
        ["phone"],
    )


@EVERY_LANGUAGE
def test_a_channel_only_refused(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    slots = said(anns_chat, SENTENCES[language][1]) | {"channel": ["sms"]}
    answer = anns_chat.run("action_set_channel", **slots, language=language)
    assert answer.said == ["utter_channel_refused", PAGE]
    assert answer.texts(language)
    assert (policy(engine, ann).preferred_channel, policy(engine, ann).refused_channels) == (None, ["sms"])


def test_the_one_named_first_and_not_refused_is_preferred(engine: Engine, anns_chat: Chat, ann: int) -> None:
    anns_chat.run("action_set_channel", channel=["email", "sms", "whatsapp"], refused_channel=["email"])
    assert policy(engine, ann).preferred_channel == "sms"
    answer = anns_chat.run("action_set_channel", channel=["email"], refused_channel=[""])
    assert answer.said == ["utter_channel_recorded", PAGE]
    assert (policy(engine, ann).preferred_channel, policy(engine, ann).refused_channels) == ("email", [])


@pytest.mark.parametrize("channel", ["", None, [""], ["pigeon"], "pigeon"])
def test_an_unknown_channel_is_asked_for(anns_chat: Chat, channel: list[str] | str | None) -> None:
    answer = anns_chat.run("action_set_channel", channel=channel, refused_channel=["pigeon"])
    assert answer.said == [PAGE, "utter_channel_which"]


def test_refusing_mail_stops_what_is_queued(engine: Engine, anns_chat: Chat, subscribed: int) -> None:
    queue(engine, "newsletter")
    anns_chat.run("action_set_channel", channel=[], refused_channel=["email"])
    assert queued(engine) == []
    with read_scope(engine) as session:
        assert not agrees_to_mail(session, subscribed)


@EVERY_LANGUAGE
def test_all_of_it_is_read_back(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    anns_chat.slots["language"] = language
    assert anns_chat.run("action_show_preferences").said == ["utter_preferences", PAGE]
    anns_chat.run("action_subscribe")
    anns_chat.run("action_set_frequency", frequency="7")
    anns_chat.run("action_pause_contact", period="P1M")
    anns_chat.run("action_set_channel", channel=[], refused_channel=["phone"])
    answer = anns_chat.run("action_show_preferences")
    assert answer.said == ["utter_preferences", "utter_contact_wishes", PAGE]
    newsletter, count, until, refused = answer.texts(language)[1].splitlines()[1:]
    assert newsletter.endswith({"en": "yes", "es": "sí", "nb": "ja", "ro": "da"}[language])
    assert "7" in count
    assert "2026" in until
    assert refused.endswith({"en": "phone", "es": "teléfono", "nb": "telefon", "ro": "telefon"}[language])


@EVERY_LANGUAGE
def test_who_has_shown_who_they_are_gets_their_own_page_and_nobody_else_any(
    anns_chat: Chat, chat: Chat, ann: int, language: str
) -> None:
    for action in ("action_show_preferences", "action_set_channel", "action_unsubscribe"):
        line = anns_chat.run(action, language=language).texts(language)
        [url] = re.findall(r"http://\S+/p/[a-z2-7]{40}$", "\n".join(line), re.MULTILINE)
        link = links.read(get_settings(), url.rpartition("/")[2])
        assert link is not None
        assert (link.subject_id, link.language, link.expires_at - NOW) == (
            ann,
            language,
            timedelta(hours=1),
        )
        stranger = chat.run(action, language=language, email=ANN)
        assert PAGE not in stranger.said


# Why an offer

MakeOffer = Callable[..., None]


@pytest.fixture
def an_offer(engine: Engine, ann: int) -> MakeOffer:
    """Makes an offer and gives Ann a code of it."""

    def make(code: str = "FJ-AAAA-BBBB", customer_id: int = ann, **terms: int) -> None:
        with session_scope(engine) as session:
            offer = Offer(key=code, **{"percent": 15, "minimum_minor": 50000, **terms})
            session.add(offer)
            session.flush()
            session.add(
                Coupon(
                    code=code, offer_id=offer.id, customer_id=customer_id, expires_at=NOW + timedelta(days=9)
                )
            )

    return make


@EVERY_LANGUAGE
def test_without_a_code_nothing_is_promised(
    engine: Engine, anns_chat: Chat, an_offer: MakeOffer, language: str
) -> None:
    with session_scope(engine) as session:
        bob = service.ensure_customer(session, identities=[("email", "bob@example.com")]).id
        session.add(Offer(key="open", percent=42, min_orders=3))
    an_offer("FJ-BOBS-CODE", bob)
    answer = anns_chat.run("action_explain_offer", language=language)
    assert answer.said == ["utter_why_no_offer"]
    [text] = answer.texts(language)
    assert not any(character.isdigit() for character in text)
    assert rows(engine, Coupon) == 1, "nothing is issued by asking why"
