"""What a text promises: nothing slips through in any dress, and what is no discount passes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rapport.kit.format import money
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.loyalty.offers.number_words import NUMBERS
from rapport.loyalty.offers.promises import Licence, own_sentences, promises, unlicensed
from rapport.loyalty.offers.rules import new_coupon_code
from rapport.loyalty.referrals.rules import new_code
from rapport.shop.facts import get_facts

NOTHING = Licence("FJ")


def _found(text: str) -> list[tuple[str, str | int]]:
    return [(kind, value if kind == "code" else int(value) / 100) for kind, value, _ in promises(text, "FJ")]


@pytest.mark.parametrize(
    "text",
    [
        "FJ-7KQM-X2PA",
        "fj-7kqm-x2pa",
        "FJ 7KQM X2PA",
        "fj 7kqm x2pa",
        "FJ7KQMX2PA",
        "FJ–7KQM—X2PA",
        "FJ‑7KQM‑X2PA",
        "FJ - 7KQM - X2PA",
        "ＦＪ-７ＫＱＭ-Ｘ２ＰＡ",
        "FJ-7K\u200bQM-X2\u00adPA",
        "F J 7 K Q M X 2 P A",
        "F-J-7-K-Q-M-X-2-P-A",
        "f.j.7.k.q.m.x.2.p.a",
        "the code is **FJ-7KQM-X2PA**!",
        "FJ_7KQM_X2PA",
        "FJ: 7KQM-X2PA",
        "FJ|7KQM|X2PA",
        "FJ,7KQM,X2PA",
        "FJ*7KQM*X2PA",
        "FJ-7KQM~X2PA",
        "FJ-**7KQM**-X2PA",
        "<b>FJ</b>-7KQM-X2PA",
        "FJ-7KQM-<br>X2PA",
        "FJ  -  7KQM  -  X2PA",
        "F.J.-7KQM-X2PA",
        "FJ-7.K.Q.M-X.2.P.A",
        "FЈ-7КQМ-X2РA",
        "ϜJ-7KQM-X2PA",
        "FJ&#45;7KQM&#x2d;X2PA",
    ],
)
def test_a_code_in_any_dress(text: str) -> None:
    assert _found(text) == [("code", "FJ7KQMX2PA")]
    assert unlicensed(text, NOTHING)
    assert not unlicensed(text, Licence("FJ", codes=frozenset({"FJ7KQMX2PA"})))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FJ-7K QM-X2-PA", "FJ7KQMX2PA"),
        ("FJ-7KQM-X2P A", "FJ7KQMX2PA"),
        ("7KQM-X2PA", "FJ7KQMX2PA"),
        ("7kqm-x2pa", "FJ7KQMX2PA"),
        ("7KQM X2PA", "FJ7KQMX2PA"),
        ("7KQMX2PA", "FJ7KQMX2PA"),
        ("fj7kqmx2pa", "FJ7KQMX2PA"),
        ("FJABCDEFGH", "FJABCDEFGH"),
        ("FJ ABCD EFGH", "FJABCDEFGH"),
        ("FJ 7KQMX2", "FJ7KQMX2"),
        ("FJ7KQMX2", "FJ7KQMX2"),
        ("fj 7kqmx2", "FJ7KQMX2"),
        ("FJABCDEF", "FJABCDEF"),
    ],
)
def test_what_only_the_ledger_can_tell_is_a_code_if_it_was_issued(text: str, code: str) -> None:
    said = f"use {text} now"
    assert unlicensed(said, NOTHING), "not looked up, so it may be one"
    assert unlicensed(said, Licence("FJ", issued=frozenset({code})))
    assert not unlicensed(said, Licence("FJ", codes=frozenset({code}), issued=frozenset({code})))


@pytest.mark.parametrize(
    "text",
    [
        "1 × FJELLJAKKE: 499 kr",
        "FJELLREVEN ryggsekk",
        "Prosjekt FJELLTUREN, FJELLTUR og FJELLDUK",
        "FJ BEDRE TUR",
        "BEST2345 or STEP-2345",
        "TELT-2345, size 42-44-46",
        "write to fjkqm234@example.com",
    ],
)
def test_a_name_is_no_code_as_long_as_nobody_has_one_like_it(text: str) -> None:
    assert unlicensed(text, Licence("FJ", issued=frozenset())) == []


@given(st.integers(0, 10**6))
def test_every_code_the_ledger_makes_is_found(_seed: int) -> None:
    for code in (new_coupon_code("FJ"), new_code("FJ")):
        for spelt in (code, code.lower(), f"({code})", code.replace("-", "–")):
            assert unlicensed(f"use {spelt} today", NOTHING), spelt


@pytest.mark.parametrize("text", ["FJ JPEM NPMY", "Your code is FJ-ZNDW-VBDG.", "FJ.ABCD.EFGH"])
def test_letters_alone_in_the_shops_groups_are_a_code(text: str) -> None:
    assert unlicensed(text, NOTHING)


def test_a_friends_code_before_a_word_is_just_that() -> None:
    assert [code for _, code in _found("FJ-B5UQ6B, de 90 kr")] == ["FJB5UQ6B"]


@pytest.mark.parametrize(
    "text",
    [
        "FJ-10234",
        "Your order FJ-10234 was sent.",
        "bestilling FJ-99999, med dagens priser",
        "bestilling FJ-99999 (sak 12)",
        "FJ-99999: den ble kansellert",
        "el pedido FJ-99999, que ya está pagado",
        "comanda FJ-99999. A fost trimisă",
        "FJ-1023 sent",
        "order fj-1023 paid today",
        "FJ-2026-1234 and FJ-10234567",
        "fjellreven og fjelltur",
        "Tracking 12345678901234567NO",
        "the code we sent has 6 digits: 123456",
        "TENT-101, BOTTLE-1003",
        "FJ",
    ],
)
def test_numbers_and_words_are_no_codes(text: str) -> None:
    assert _found(text) == []


@pytest.mark.parametrize(
    ("text", "percents"),
    [
        ("15 %", [15]),
        ("15%", [15]),
        ("15\u00a0%", [15]),
        ("15\u202f%", [15]),
        ("１５％", [15]),
        ("1\u200b5 %", [15]),
        ("15 percent", [15]),
        ("15 per cent", [15]),
        ("a 15-percent discount", [15]),
        ("15 prosent", [15]),
        ("15 prosents rabatt", [15]),
        ("15 por ciento", [15]),
        ("15 porciento", [15]),
        ("15 la sută", [15]),
        ("15 la suta", [15]),
        ("20 de procente", [20]),
        ("douăzeci de procente", [20]),
        ("20  %", [20]),
        ("20\n%", [20]),
        ("20 per  cent", [20]),
        ("20 per\ncent", [20]),
        ("20 percents", [20]),
        ("20 por 100", [20]),
        ("20 pro cent", [20]),
        ("200‰", [20]),
        ("٢٠٪", [20]),
        ("٢٠ %", [20]),
        ("२०%", [20]),
        ("<b>20</b>%", [20]),
        ('<span class="big">20</span> %', [20]),
        ("**20** %", [20]),
        ("_20_ %", [20]),
        ("`20`%", [20]),
        ("20&nbsp;%", [20]),
        ("20&#37;", [20]),
        ("20️⃣ %", [20]),
        ("1000 %", [1000]),
        ("a quarter off", [25]),
        ("1/5 off", [20]),
        ("la cuarta parte menos", [25]),
        ("en femtedel av prisen", [20]),
        ("un sfert din preț", [25]),
        ("15 procente", [15]),
        ("12,5 %", [12.5]),
        ("12.5%", [12.5]),
        ("10–20 %", [10, 20]),
        ("between 10 and 20 percent", [10, 20]),
        ("10% to 20%", [10, 10, 20]),
        ("entre 10 y 20 por ciento", [10, 20]),
        ("fifteen percent", [15]),
        ("Twenty-five per cent off", [25]),
        ("ninety nine percent", [99]),
        ("quince por ciento", [15]),
        ("veinticinco por ciento", [25]),
        ("treinta y cinco por ciento", [35]),
        ("femten prosent", [15]),
        ("tjuefem prosent", [25]),
        ("førtifem prosent", [45]),
        ("hundre prosent", [100]),
        ("cincisprezece la sută", [15]),
        ("douăzeci și cinci la sută", [25]),
        ("zece procente", [10]),
        ("half price", [50]),
        ("halv pris", [50]),
        ("a mitad de precio", [50]),
        ("la jumătate de preț", [50]),
    ],
)
def test_a_percentage_in_any_dress(text: str, percents: list[float]) -> None:
    found = _found(f"I give you {text}, only today")
    assert {value for _, value in found} == set(percents)
    assert unlicensed(text, NOTHING)
    if all(float(percent).is_integer() for percent in percents):
        assert not unlicensed(text, Licence("FJ", percents=frozenset(map(int, percents))))
        assert unlicensed(text, Licence("FJ", percents=frozenset({7})))


@pytest.mark.parametrize("text", ["20 off", "50 off", "a discount of 20", "descuento de 20", "rabatt på 20."])
def test_a_number_off_is_a_percentage_or_a_sum(text: str) -> None:
    number = 50 if "50" in text else 20
    assert [(kind, value) for kind, value, _ in promises(f"I give you {text}", "FJ")] == [
        ("off", 100 * number)
    ]
    assert unlicensed(text, NOTHING)
    assert not unlicensed(text, Licence("FJ", percents=frozenset({number})))
    assert not unlicensed(text, Licence("FJ", sums=frozenset({100 * number})))


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("a 100 kr voucher", 100),
        ("a 100 kr coupon", 100),
        ("100,- rabatt", 100),
        ("rabatt på hundre kroner", 100),
        ("hundred kroner off", 100),
        ("two hundred and fifty kroner off", 250),
        ("tusen kroner i rabatt", 1000),
        ("femhundre kroner rabatt", 500),
        ("doscientos euros de descuento", 200),
        ("o sută de lei reducere", 100),
        ("reducere de cincizeci de lei", 50),
        ("<b>100</b> kr off", 100),
    ],
)
def test_a_sum_off_in_words_and_as_a_voucher(text: str, amount: int) -> None:
    assert _found(text) == [("sum", amount)]


SIGNS = st.sampled_from(
    ["%", " %", "\u00a0%", " percent", " prosent", " por ciento", " la sută", " procente"]
)


@given(st.text(max_size=30), st.integers(1, 100), SIGNS, st.text(max_size=30))
def test_no_words_around_it_hide_a_percentage(before: str, percent: int, sign: str, after: str) -> None:
    text = f"{before} {percent}{sign} {after}"
    assert any(promise.value == 100 * percent for promise in promises(text, "FJ")), text


@given(st.sampled_from(sorted(NUMBERS)), SIGNS.filter(lambda sign: "%" not in sign))
def test_every_number_in_words_is_known(words: str, sign: str) -> None:
    assert 100 * NUMBERS[words] in [promise.value for promise in promises(f"you get {words}{sign}", "FJ")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("minor", [5_000, 4_950, 124_950])
def test_a_sum_off_as_it_is_written_in_each_language(language: str, minor: int) -> None:
    amount = money(minor, "NOK", language)
    said = {
        "en": ("{} off", "a discount of {}", "save {}", "a voucher worth {}"),
        "es": ("{} de descuento", "un descuento de {}", "{} menos", "ahorra {}"),
        "nb": ("{} rabatt", "et avslag på {}", "{} i rabatt", "spar {}"),
        "ro": ("{} reducere", "o reducere de {}", "{} mai puțin", "economisești {}"),
    }
    for words in said[language]:
        text = words.format(amount)
        assert _found(text) == [("sum", minor / 100)], text
        assert unlicensed(text, NOTHING)
        assert not unlicensed(text, Licence("FJ", sums=frozenset({minor})))


@pytest.mark.parametrize(
    "text",
    [
        "Home delivery in 2–4 working days for NOK 99, free from NOK 1,000",
        "Hjemlevering på 2–4 virkedager for 99 kr, gratis fra 1 000 kr",
        "Entrega a domicilio en 2–4 días laborables por 99 NOK, gratis a partir de 1.000 NOK",
        "You have 240 points, worth NOK 48.",
        "Ai 240 de puncte, în valoare de 48 NOK.",
        "You were refunded NOK 499 on 3 May 2026.",
        "There is no discount for you right now, sorry.",
        "Ahora mismo no tengo ningún descuento para ti.",
        "2 for NOK 798, in stock",
        "2 por 100 kr, en existencias",
        "5 off-road tyres and one-off gloves",
        "El precio en euros y el descuento en coronas",
        "See https://shop.example/a%20b/10%20c?q=20%2F30",
        "En tredjedel av kundene velger den.",
        "20 per centimetre",
        "The rope is 9.8 mm thick and 60 m long.",
        "Call +47 22 00 00 00, Monday to Friday, 8 am to 6 pm",
    ],
)
def test_what_is_no_discount_passes(text: str) -> None:
    assert promises(text, "FJ") == []


def _texts_of(folder: str) -> Iterator[str]:
    def strings(value: Any) -> Iterator[str]:
        match value:
            case str():
                yield value
            case dict():
                for part in value.values():
                    yield from strings(part)
            case list():
                for part in value:
                    yield from strings(part)

    for path in sorted((ROOT / folder).glob("**/*.yml")):
        yield from strings(yaml.safe_load(path.read_text("utf-8")))


@pytest.mark.parametrize("folder", ["knowledge", "rapport/demo/products", "data/responses"])
def test_all_the_shop_wrote_passes(folder: str) -> None:
    """Answers, products and the bot's own wordings, whatever they say of percent: in the shop's own words."""
    texts = [text.replace("{", "").replace("}", "") for text in _texts_of(folder)]
    assert len(texts) > 50
    licence = Licence("FJ", sentences=own_sentences(texts, "FJ"))
    assert [text for text in texts if unlicensed(f"Hello! {text} Anything else?", licence)] == []


def test_only_the_shops_whole_sentence_is_its_own() -> None:
    licence = Licence("FJ", sentences=own_sentences(["Soft. It is 100 % merino wool. Warm."], "FJ"))
    assert licence.sentences == ("It is 100 % merino wool.",)
    assert not unlicensed("Here: It is 100 %  merino wool. Warm.", licence)
    assert unlicensed("You get 100 % off.", licence)
    assert unlicensed("It is 100 % merino wool. And 100 % off for you.", licence)


def test_an_ordinary_reply_costs_next_to_nothing() -> None:
    ordinary = "The boots fit well and keep dry. Here is what I found for you, with price and stock. " * 5
    promising = "Tu código FJ-7KQM-X2PA te da un 15 % de descuento en pedidos desde 500 NOK. " * 5
    for text, most in ((ordinary, 0.0005), (promising, 0.005)):
        took = []
        for _ in range(200):
            started = time.perf_counter()
            promises(text, get_facts().coupon_prefix)
            took.append(time.perf_counter() - started)
        assert median(took) < most


@given(st.text(max_size=200))
def test_nothing_makes_it_stumble(text: str) -> None:
    unlicensed(text, NOTHING)


@pytest.mark.parametrize(
    "piece", ["0", " ", "1 ", "kr ", "F J ", "off ", "% ", "twenty ", "FJ-", "10-", "a-"]
)
def test_long_texts_take_no_longer_than_they_are_long(piece: str) -> None:
    started = time.perf_counter()
    promises(piece * 4_000, "FJ")
    assert time.perf_counter() - started < 1.5
