"""What no public answer says, and what may go by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from rapport.kit.languages import LANGUAGES
from rapport.mentions import rules, words
from rapport.mentions.rules import Circumstances, gives_away
from rapport.shop.facts import Mentions
from rapport.shop.phrases import fold

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HANDLE = "@ann@social.example"
ALL = [text for kinds in words.texts().values() for texts in kinds.values() for text in texts]
HARMLESS = [
    "We're sorry! Please write to us in a private message.",
    "Thanks @ann@social.example, that made our day :)",
    "Thanks, @ann!",
    "Our people are back in 2 days, 24 h at most.",
    "It fits 2 or 3 people and packs small.",
    "¿Nos escribes por privado? Contestamos en 1 o 2 días.",
    "Vi svarer deg på 5 minutter i en privat melding.",
    "Îți răspundem în 3 zile lucrătoare.",
    "The 4x4 and the X3 both fit.",
]
BETRAYALS = [
    ("email", "write to ann.lee@mail.example"),
    ("email", "write to ann.lee (at) mail (dot) example"),
    ("email", "ann @ mail"),
    ("email", "ａｎｎ＠mail.example"),
    ("email", "ann\u200b.lee@\u200bmail.example"),
    ("phone", "call +47 22 33 44 55"),
    ("phone", "ring 22334455"),
    ("phone", "2 2 3 3 4 4 5 5"),
    ("phone", "２２ ３３ ４４ ５５"),
    ("phone", "0047-22.33.44.55"),
    ("order", "your order FJ-10023"),
    ("order", "order #12"),
    ("order", "orden nr. 77"),
    ("order", "pedido nº 42"),
    ("number", "order 1042"),
    ("number", "it is 1️⃣0️⃣4️⃣2️⃣"),
    ("code", "use FJ-AB12-CD34"),
    ("code", "use WELCOME10"),
    ("code", "use AB12CD"),
    ("number", "your code is 123 456"),
    ("amount", "you get 50 kr back"),
    ("amount", "kr 50"),
    ("amount", "€5 off"),
    ("amount", "5 €"),
    ("amount", "20 % off"),
    ("amount", "20% off"),
    ("amount", "12 lei"),
    ("amount", "499,-"),
    ("amount", "your 12 points"),
    ("amount", "tienes 12 puntos"),
    ("address", "we send it to Storgata 5B"),
    ("name", "Dear Ann, sorry"),
    ("name", "dear ann, sorry"),
    ("name", "dear ÁNN"),
    ("name", "Mrs. Løvås was unhappy"),
    ("name", "Lovas, sorry"),
    ("name", "ann_løvås"),
]


@pytest.mark.parametrize("text", [*HARMLESS, *ALL])
def test_what_says_nothing_private_may_be_sent(text: str) -> None:
    assert gives_away(text, ("Kari Løvås",), HANDLE, words.common()) == ()


@pytest.mark.parametrize(("what", "text"), BETRAYALS)
def test_what_tells_something_private_is_refused(what: str, text: str) -> None:
    assert what in gives_away(text, ("Ann Løvås",), "", words.common())


def test_a_handle_is_public_but_not_the_same_address_in_other_words() -> None:
    assert gives_away(f"Hello {HANDLE}, sorry", (), HANDLE) == ()
    assert gives_away("Hello ann@social.example, sorry", (), HANDLE) == ("email",)
    assert gives_away(f"Hello {HANDLE}", (), "") == ("email",)
    assert gives_away("Hello ann@mail.example", (), "ann@mail.example") == ("email",)


def test_an_ordinary_word_is_no_name_when_written_small() -> None:
    common = words.common()
    assert gives_away("we will look into it", ("Will Look",), "", common | {"will"}) == ()
    assert gives_away("we hope Will is well", ("Will Look",), "", common | {"will"}) == ("name",)


around = st.sampled_from([text for text in ALL if text])
separators = st.text(st.sampled_from(" .-/–()·\u200b\u00a0"), max_size=3)
local = st.text(st.sampled_from("abcdefgæøåñăș.-_019"), min_size=1, max_size=12).filter(
    lambda text: text[0].isalpha() and text[-1].isalnum()
)


def between(inside: str, text: str, at: int) -> str:
    parts = text.split(" ")
    at %= len(parts) + 1
    return " ".join([*parts[:at], inside, *parts[at:]])


@given(around, local, local, st.integers(0, 30))
def test_no_address_gets_through(text: str, name: str, host: str, at: int) -> None:
    assert "email" in gives_away(between(f"{name}@{host}.example", text, at))


@given(around, st.lists(st.integers(0, 9), min_size=4, max_size=15), separators, st.integers(0, 30))
def test_no_number_gets_through_however_it_is_grouped(
    text: str, digits: list[int], separator: str, at: int
) -> None:
    found = gives_away(between(separator.join(map(str, digits)), text, at))
    assert found and (len(digits) < 7 or "phone" in found)


@given(around, st.integers(0, 99999), st.sampled_from(["kr", "€", "$", "lei", "%", "points", "NOK", "poeng"]))
def test_no_amount_gets_through(text: str, amount: int, currency: str) -> None:
    for written in (f"{amount} {currency}", f"{amount}{currency}", f"{amount},50 {currency}"):
        assert "amount" in gives_away(f"{text} {written}")
    if currency in {"kr", "€", "$", "NOK", "%"}:
        assert "amount" in gives_away(f"{currency} {amount}: {text}")


names = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzæøåäöñáéíóúüășțîâščžłß"), min_size=2, max_size=10)


@given(around, names, names, st.integers(0, 30))
def test_no_name_gets_through(text: str, first: str, last: str, at: int) -> None:
    name = f"{first.capitalize()} {last.capitalize()}"
    common = words.common()
    assume(not {fold(first), fold(last)} & common and min(len(fold(first)), len(fold(last))) > 1)
    for written in (name, first.capitalize(), last.capitalize().upper()):
        assert "name" in gives_away(between(written, text, at), (name,), "", common)


@given(st.text(max_size=300), st.text(max_size=30), st.text(max_size=30))
def test_any_text_can_be_looked_at(text: str, name: str, handle: str) -> None:
    assert gives_away(text, (name,), handle) == gives_away(text, (name,), handle)


# --- what may go by itself ---------------------------------------------------------------------------------

PRAISE = Circumstances("praise", 0.95, addressed=True, at=NOW)


@pytest.mark.parametrize(
    ("changes", "allowed", "goes"),
    [
        ({}, {"praise"}, True),
        ({}, (), False),
        ({}, {"doubt", "complaint"}, False),
        ({"kind": "neutral"}, {"praise", "neutral"}, False),
        ({"kind": "complaint"}, {"complaint"}, True),
        ({"kind": "complaint", "trouble": True}, {"complaint"}, True),
        ({"trouble": True}, {"praise"}, False),
        ({"confidence": 0.79}, {"praise"}, False),
        ({"addressed": False}, {"praise"}, False),
        ({"reachable": False}, {"praise"}, False),
        ({"at": NOW - timedelta(days=3)}, {"praise"}, False),
        ({"at": NOW + timedelta(days=3)}, {"praise"}, False),
        ({"answered_at": NOW - timedelta(days=6)}, {"praise"}, False),
        ({"answered_at": NOW - timedelta(days=8)}, {"praise"}, True),
    ],
)
def test_what_is_answered_without_anybody_looking(changes: dict, allowed: set[str], goes: bool) -> None:
    it = Circumstances(**{**PRAISE.__dict__, **changes})
    assert rules.may_go_by_itself(it, allowed, NOW) is goes


@given(st.integers(1, 40), st.integers(0, 30 * 3600), st.none() | st.floats(0, 86_400))
def test_what_is_tried_again_comes_later_and_not_too_late(
    attempts: int, seconds: int, after: float | None
) -> None:
    created = NOW - timedelta(seconds=seconds)
    at = rules.next_attempt(attempts, NOW, created, after)
    if at is not None:
        assert NOW + timedelta(seconds=after or 0) <= at <= created + rules.GIVE_UP_AFTER
        assert at > NOW


# --- words -------------------------------------------------------------------------------------------------


def test_every_kind_that_is_answered_has_several_wordings_in_each_language() -> None:
    texts = words.texts()
    assert set(texts) == set(rules.ANSWERABLE)
    for languages in texts.values():
        assert list(languages) == list(LANGUAGES)
        for wordings in languages.values():
            assert len(set(wordings)) == len(wordings) >= 3
            assert all(len(text) <= 300 for text in wordings)
    private = {"en": "private message", "es": "privado", "nb": "privat melding", "ro": "privat"}
    for kind in ("complaint", "doubt"):
        for language, said in private.items():
            assert all(said in text for text in texts[kind][language]), (kind, language)


def test_the_same_mention_gets_the_same_words_and_others_take_turns() -> None:
    found = {words.suggestion("praise", "nb", str(number)) for number in range(40)}
    assert found == set(words.texts()["praise"]["nb"])
    assert words.suggestion("praise", "nb", "7") == words.suggestion("praise", "nb", "7")
    assert words.suggestion("neutral", "nb", "7") == ""


def test_the_shop_names_kinds_that_there_are_words_for() -> None:
    assert Mentions().answer == ()
    assert Mentions.model_validate({"answer": ["praise", "doubt"]}).answer == ("praise", "doubt")
    for wrong in (["neutral"], ["praise", "praise"], ["thanks"], "praise", None):
        with pytest.raises(ValidationError):
            Mentions.model_validate({"answer": wrong})
