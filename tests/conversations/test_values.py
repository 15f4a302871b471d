"""Times, sums and refused channels in what people write, in four languages."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from rapport.conversations import lexicon
from rapport.conversations.events import Events
from rapport.conversations.rasa import Rasa
from rapport.conversations.texts import TROUBLE, TROUBLE_FILE, load_response
from rapport.conversations.turn import Turns
from rapport.conversations.values import find
from rapport.kit import clock
from rapport.kit.languages import LANGUAGES
from rapport.shop.catalogue import Catalogue
from tests.conversations.conftest import new_conversation, receive
from tests.fake_rasa import SECRET, FakeRasa

TODAY = date(2026, 11, 22)  # a Sunday


def found(text: str, entity: str, today: date = TODAY, currency: str = "NOK") -> list[str]:
    return [item["value"] for item in find(text, today, currency) if item["entity"] == entity]


PERIODS = {
    "P2W": [
        "two weeks",
        "no mails for 2 wks pls",
        "un par de semanas",
        "nada de mensajes en dos semanas",
        "ingen meldinger de neste to ukene",
        "fara mesaje doua saptamani",
        "pauză 2 săpt",
        "a fortnight",
    ],
    "P1M": ["o lună", "un mes", "en måned", "i'd like a month of peace", "fără mesaje o luna", "i ein månad"],
    "P3M": ["3 måneder", "three months", "3mnths", "trei luni", "tres meses", "a quarter", "un trimestru"],
    "P6M": ["half a year", "medio año", "et halvt år", "halvår", "o jumătate de an", "6 meses"],
    "P30D": ["quiet for 30 days", "30 días de silencio", "stille i 30 dager", "liniste 30 de zile"],
    "P45D": ["a month and a half", "mes y medio", "halvannen måned", "o lună și jumătate"],
    "P1W": ["mute for a week", "una semana", "ei veke", "o săptămână"],
    "2027-01-01": [
        "until January",
        "til nyttår",
        "hasta enero",
        "pana in ianuarie",
        "untill janaury",
        "not before january",
        "hasta año nuevo",
        "inainte de anul nou",
        "until next year",
        "hasta el año que viene",
        "før neste år",
        "pana la anul viitor",
        "ikke mer i år",
        "for the rest of the year",
        "lo que queda de año",
        "restul anului",
    ],
    "2027-01-15": [
        "until 15 January",
        "until january 15th",
        "hasta el 15 de enero",
        "til 15. januar",
        "pana pe 15 ianuarie",
        "til 15.1.2027",
        "til 15/1",
        "until 2027-01-15",
        "no messages until january 15, please",
    ],
    "2026-12-01": [
        "not this month",
        "este mes no",
        "ikke denne måneden",
        "luna asta nu",
        "until next month",
        "hasta el mes que viene",
        "til slutten av måneden",
        "pana la sfarsitul lunii",
        "hasta fin de mes",
    ],
    "2026-12-20": [
        "until the 20th, no messages please",
        "hasta el 20",
        "til den 20.",
        "fara mailuri pana pe 20",
    ],
    "2026-12-27": ["until after christmas", "hasta después de navidad", "til etter jul", "pana dupa craciun"],
    "2026-11-23": ["until monday", "hasta el lunes", "fram til mandag", "până luni", "until tomorrow"],
    "2026-11-28": ["until saturday", "hasta el sábado", "til lørdag", "pana sambata", "until the weekend"],
    "2027-06-01": ["until summer", "hasta el verano", "før sommeren", "pana la vara", "write again in june"],
    "2027-09-01": ["over the summer", "este verano", "over sommeren", "vara asta", "til etter sommeren"],
    "2027-07-01": [
        "volved a escribirme en julio",
        "ta kontakt igjen i juli",
        "reveniți în iulie",
        "back in july",
    ],
    "2027-02-01": ["through january", "hasta finales de enero", "ut januar", "til 1.2.2027"],
    "P0D": [
        "you can write to me again",
        "resume messages, my break is over",
        "ya podéis escribirme otra vez",
        "quita la pausa",
        "pausen er over",
        "dere kan begynne å sende igjen",
        "gata pauza",
        "puteti sa-mi scrieti din nou",
    ],
}


@pytest.mark.parametrize(("value", "text"), [(v, text) for v, texts in PERIODS.items() for text in texts])
def test_periods(value: str, text: str) -> None:
    assert found(text, "period") == [value]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pause",
        "for a while",
        "una temporada",
        "en stund",
        "o vreme",
        "until i'm back",
        "hasta que vuelva",
        "pana mai tarziu",  # no month of May
        "may i pause",
        "don't ever write to me again",
        "hasta 2020-01-01",
        "until 31.02.2027",
        "0 days",
        "once a month",  # how often, not how long
        "max 2/month",
    ],
)
def test_no_periods(text: str) -> None:
    assert found(text, "period") == []


@pytest.mark.parametrize(
    ("today", "text", "value"),
    [
        (date(2026, 1, 31), "until february", "2026-02-01"),
        (date(2026, 2, 1), "until february", "2027-02-01"),
        (date(2026, 7, 10), "over the summer", "2026-09-01"),
        (date(2026, 12, 24), "until christmas", "2027-12-24"),
        (date(2026, 12, 31), "until tomorrow", "2027-01-01"),
        (date(2026, 5, 20), "this quarter", "2026-07-01"),
        (date(2026, 12, 7), "until next week", "2026-12-14"),
        (date(2026, 12, 15), "not this month", "2027-01-01"),
    ],
)
def test_a_date_is_the_next_one(today: date, text: str, value: str) -> None:
    assert found(text, "period", today) == [value]


def test_a_date_outweighs_a_duration_and_the_first_counts() -> None:
    assert found("pause two weeks, or until january", "period") == ["2027-01-01"]
    assert found("two weeks, three at most, 3 weeks", "period") == ["P2W"]


FREQUENCIES = {
    "1": [
        "once a month",
        "una vez al mes",
        "maks en mail i måneden",
        "cel mult un email pe luna",
        "monthly please",
        "con un resumen mensual me vale",
        "unul pe lună e destul",
        "1x/month",
        "un poco pesaditos con tanto mail, con uno al mes voy bien",
        "not weekly, monthly please",
        "once a month instead of once a week",
        "one short e-mail a month",
        "hver tredje uke",
        "montly",
    ],
    "2": [
        "max two messages a month",
        "dos veces al mes",
        "hver 14. dag",
        "annenhver uke",
        "de două ori pe lună",
        "cada 15 días",
        "every other week",
        "o dată la două săptămâni",
        "ikke mer enn to i måneden",
        "fortnightly",
    ],
    "3": ["less than once a week", "menos de una vez por semana", "de trei ori pe luna"],
    "4": [
        "weekly",
        "una vez por semana",
        "en gang i uka",
        "o data pe saptamana",
        "saptamanl",
        "semanal",
        "recibo dos correos al día, con uno por semana basta",
        "no more than one message a week",
        "one a week instead of one every other day",
        "weekly, not daily",
        "1 mail x semana",
        "kvar veke",
    ],
    "8": ["twice weekly", "dos por semana", "to ganger i uka"],
    "30": [
        "i want it daily",
        "quiero uno cada día",
        "vil ha det hver dag",
        "zilnic va rog",
        "ten a day please",
    ],
    "0": ["every two months", "once a year", "cada tres meses", "en gang i året", "o dată la 3 luni"],
    "less": [
        "less often",
        "sjeldnere",
        "cât mai rar",
        "no tan seguido",
        "you send too many messages",
        "me mandáis demasiados correos",
        "ikke så ofte",
        "prea multe mailuri",
        "daily is a bit much isnt it",
        "cada dia es mucho",
        "hver dag er i overkant mye",
        "zilnic e cam mult",
        "i get something from you every single day",
        "todos los días me llega algo vuestro, bajad el ritmo",
        "får noe fra dere hver eneste dag, ro ned litt",
        "primesc mailuri zilnic",
        "todos los días no, hombre",
        "mailer hver dag, nei takk",
        "to many emails",
    ],
    "more": ["you can write more often", "más a menudo", "oftere takk", "scrieți-mi mai des"],
}


@pytest.mark.parametrize(("value", "text"), [(v, text) for v, texts in FREQUENCIES.items() for text in texts])
def test_frequencies(value: str, text: str) -> None:
    assert found(text, "frequency") == [value]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "how often do you write",
        "cambiar la frecuencia",
        "doar cand e ceva important",
        "take a break for a month",
        "ta en pause i en måned",
        "no more emails",
        "no quiero más correos",
        "jeg vil ikke ha flere mailer",
        "dette er dårlig",
        "anula comanda",
        "takk så mye",
    ],
)
def test_no_frequencies(text: str) -> None:
    assert found(text, "frequency") == []


REFUSED = {
    "don't call me, e-mail me": ["phone"],
    "no me llames, mejor por correo": ["phone"],
    "ikke ring, send heller e-post": ["phone"],
    "nu mă sunați, scrieți-mi pe mail": ["phone"],
    "no more SMS": ["sms"],
    "no más sms": ["sms"],
    "slutt med sms, bruk e-post": ["sms"],
    "fără sms-uri, doar email": ["sms"],
    "no more texts please e-mail only": ["sms"],
    "please don't use whatsapp to contact me": ["whatsapp"],
    "no quiero que me escribáis al whatsapp": ["whatsapp"],
    "ikke kontakt meg på whatsapp": ["whatsapp"],
    "nu-mi mai scrieți pe whatsapp": ["whatsapp"],
    "don't text or call me, whatsapp only": ["sms", "phone"],
    "don't call, text or whatsapp me": ["phone", "sms", "whatsapp"],
    "ni llamadas ni sms": ["phone", "sms"],
    "nici telefon nici sms": ["phone", "sms"],
    "no calls, no texts": ["phone", "sms"],
    "llamadas no, gracias": ["phone"],
    "telefon nei takk": ["phone"],
    "i never read my mail, use sms": ["email"],
    "dati-mi mesaj pe whatsapp, la mail nu ma uit": ["email"],
    "sms instead of email": ["email"],
    "STOP RINGING ME!!!": ["phone"],
    "por SMS no que no los veo, mejor al correo": ["sms"],
    "calls ok, mails not": ["email"],
    "mailurile nu le citesc, dați un sms": ["email"],
    "call me rather than texting": ["sms"],
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_channels(text: str) -> None:
    assert found(text, "refused_channel") == REFUSED[text]


@pytest.mark.parametrize(
    "text",
    [
        "e-mail me",
        "prefiero whatsapp",
        "ring meg gjerne",
        "pe telefon",
        "why don't you call me",
        "por qué no me escribís por whatsapp",
        "hvorfor ikke bruke e-post",
        "i don't mind sms",
        "not only by e-mail",
        "no, by e-mail please",
    ],
)
def test_no_refused_channels(text: str) -> None:
    assert found(text, "refused_channel") == []


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("250 kr", ["25000 NOK"]),
        ("€20", ["2000 EUR"]),
        ("1.499,00 NOK", ["149900 NOK"]),
        ("20 lei", ["2000 RON"]),
        ("kr 1 499,-", ["149900 NOK"]),
        ("1,299.50 usd", ["129950 USD"]),
        ("250,-", ["25000 NOK"]),
        ("$20.5", ["2050 USD"]),
        ("20 euro or 30€", ["2000 EUR", "3000 EUR"]),
        ("5000 yen, 50 %, order 10234", []),
        ("3 tents for 12.345.678,90 kr.", ["1234567890 NOK"]),
    ],
)
def test_amounts(text: str, amounts: list[str]) -> None:
    assert found(text, "amount") == amounts


def test_a_word_for_several_currencies_means_the_shops() -> None:
    assert found("100 kr", "amount", currency="SEK") == ["10000 SEK"]
    assert found("100 kr", "amount", currency="EUR") == ["10000 NOK"]
    assert found("$100", "amount", currency="CLP") == ["100 CLP"]
    assert found("99,-", "amount", currency="DKK") == ["9900 DKK"]


@pytest.mark.parametrize(
    ("text", "stars"),
    [
        ("four", ["4"]),
        ("Cinco!", ["5"]),
        ("tre.", ["3"]),
        ("două", ["2"]),
        ("six", []),
        ("four tents", []),
        ("", []),
    ],
)
def test_a_number_alone_may_be_stars(text: str, stars: list[str]) -> None:
    assert found(text, "rating") == stars


def test_what_was_typed_is_told_with_each_value() -> None:
    text = "Ærlig talt: ÉN gang i MÅNEDEN. Ikke RING meg; 250 kr er mye, pause til 15. januar"
    assert [item["text"] for item in find(text, TODAY, "NOK")] == [
        "ÉN gang i MÅNEDEN",
        "til 15. januar",
        "RING",
        "250 kr",
    ]


def test_every_section_has_words_of_each_language_or_says_that_there_are_none() -> None:
    lists = {"after_number", "of", "later", "next", "next_after", "this_after", "events", "ordinals"}
    lacking = [
        (section, language)
        for section in lexicon._content()
        for language in LANGUAGES
        if section not in lists | {"no_slips"} and not lexicon.words(section, language)
    ]
    assert lacking == []


WORDS = sorted({word for section in lexicon._content() if section != "no_slips"
                for language in LANGUAGES for word in lexicon.words(section, language)})  # fmt: skip
ANY_TEXT = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from([*WORDS, "|", ",", ".", "2", "31.12.", "99", "2027", "kr", "€"]), max_size=25
    ).map(" ".join),
)


@given(ANY_TEXT, st.dates(date(1970, 1, 1), date(9000, 1, 1)))
def test_whatever_is_written_the_values_are_sound(text: str, today: date) -> None:
    items = find(text, today, "NOK")
    for item in items:
        assert item["text"]
        match item["entity"]:
            case "period":
                if not re.fullmatch(r"P\d{1,3}[DWMY]", item["value"]):
                    assert date.fromisoformat(item["value"]) > today
            case "frequency":
                assert item["value"] in {"less", "more"} or 0 <= int(item["value"]) <= 30
            case "refused_channel":
                assert item["value"] in lexicon.words("channels", "en").values()
            case "rating":
                assert item["value"] in {"1", "2", "3", "4", "5"}
            case "amount":
                assert re.fullmatch(r"\d+ [A-Z]{3}", item["value"])
    assert len([item for item in items if item["entity"] in {"period", "frequency"}]) <= 2


def test_they_go_with_the_message_but_not_with_a_button(sqlite_engine: Engine, rasa: FakeRasa) -> None:
    client = Rasa(f"http://127.0.0.1:{rasa.port}", SECRET, connections=1)
    turns = Turns(
        sqlite_engine, client, Events(), Catalogue(sqlite_engine), load_response(TROUBLE, TROUBLE_FILE)
    )
    conversation = new_conversation(sqlite_engine)
    with clock.freeze(datetime(2026, 12, 31, 23, 30, tzinfo=UTC)):  # in Oslo it is January already
        for text, payload in (
            ("pause until february", None),
            ("Two weeks", '/pause_contact{"period": "P2W"}'),
        ):
            receive(sqlite_engine, conversation, text, payload)
            turns.take(conversation)
        receive(sqlite_engine, conversation, "until january")
        turns.take(conversation)
    client.close()
    assert [turn["metadata"]["entities"] for turn in rasa.turns] == [
        [{"entity": "period", "value": "2027-02-01", "text": "until february"}],
        [],
        [{"entity": "period", "value": "2028-01-01", "text": "until january"}],
    ]


HOSTILE = [
    *("a", "1", "1 ", "1.", "1 111 ", "|", "kr1", "1/1 ", "2027-01-01", "a month ", "once a month ", "less "),
    *("not call ", "call, call or ", "until may ", "again in ", "una "),
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_takes_long(hostile: str) -> None:
    """A ratio of two measurements in the same moment: what backtracks takes some hundred times as long."""
    ordinary = "I would like to know where my last order is, please. " * 80
    assert seconds((hostile * 4000)[:4000]) / seconds(ordinary[:4000]) < 30
    assert seconds((hostile * 16000)[:16000]) / seconds((hostile * 4000)[:4000]) < 8


def seconds(text: str) -> float:
    def once() -> float:
        began = time.thread_time()  # what others do meanwhile does not count
        find(text, TODAY, "NOK")
        return time.thread_time() - began

    return min(once() for _ in range(5))
