"""Which language a message is answered in."""

from __future__ import annotations

import pytest

from rapport.conversations.language import MAX_CHARS, follow
from rapport.kit.languages import LANGUAGES

CHAT = {
    "en": [
        "where is my order",
        "wheres my oder",
        "how many points do i have",
        "can i get a discont pls",
        "WHERE IS MY PACKAGE???",
        "I want to talk to a person",
        "do you ship to norway",
        "my tent is broken and i am angry",
        "order FJ10234 please, where is it",
    ],
    "es": [
        "donde esta mi pedido",
        "¿Dónde está mi pedido?",
        "cuantos puntos tengo",
        "quiero hablar con una persona",
        "cuanto cuesta el envio",
        "hacen envios a españa",
        "me gustan las tiendas de campaña",
        "tengo un problema",
        "HOLA QUE TAL",
    ],
    "nb": [
        "hvor er pakken min",
        "hvor mange poeng har jeg",
        "kan jeg fa rabatt",
        "jeg vil snakke med et menneske",
        "teltet mitt er ødelagt",
        "tusen takk for hjelpen",
        "kvar er pakka mi",
        "vis meg bestillingene mine",
    ],
    "ro": [
        "unde este comanda mea",
        "unde e comanda mea",
        "câte puncte am",
        "vreau sa vorbesc cu o persoana",
        "cat costa livrarea",
        "multumesc mult pentru ajutor",
        "cortul meu este stricat",
        "imi plac corturile",
    ],
}
SAID = [(language, text) for language, texts in CHAT.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), SAID)
@pytest.mark.parametrize("current", LANGUAGES)
def test_a_sentence_is_followed_from_any_language(language: str, text: str, current: str) -> None:
    assert follow(text, current) == language


@pytest.mark.parametrize("current", LANGUAGES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "Hello",
        "no",
        "123456",
        "FJ10234",
        "ana@example.com",
        "my.name+x@example.es 123 456",
        "https://www.example.com/hola/donde/esta",
        "👍 👍 👍",
        "???",
        "Tromsø",
        "no no no",
        "da",
        "si",
        "cat",
        "sms",
    ],
)
def test_what_says_nothing_changes_nothing(text: str, current: str) -> None:
    assert follow(text, current) == current


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hola", "es"),
        ("¡Gracias!", "es"),
        ("Hei", "nb"),
        ("takk!", "nb"),
        ("Bună", "ro"),
        ("multumesc", "ro"),
    ],
)
def test_unmistakable_words_are_enough(text: str, language: str) -> None:
    assert follow(text, "en") == language
    assert follow(text, "en", chosen=True) == "en"


@pytest.mark.parametrize("current", LANGUAGES)
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("opening hours", "en"),
        ("my points", "en"),
        ("wheres my oder", "en"),
        ("can't sign in", "en"),
        ("mine bestillinger", "nb"),
        ("siste ordre", "nb"),
        ("eg treng hjelp", "nb"),
        ("åpningstider?", "nb"),
        ("hæ", "nb"),
        ("kor e pakken min", "nb"),
        ("mis puntos", "es"),
        ("cuánto cuesta", "es"),
        ("cancelar cuenta", "es"),
        ("¿catálogo?", "es"),
        ("muy mal servicio", "es"),
        ("por whatsapp mejor", "es"),
        ("kiero saber dnd sta mi pedido", "es"),
        ("comenzile mele", "ro"),
        ("cât costă", "ro"),
        ("sterge contul", "ro"),
        ("înapoi", "ro"),
        ("ma abonez la newsletterul vostru, da?", "ro"),
        ("pe messenger te rog", "ro"),
        ("cu ce platesc", "ro"),
    ],
)
def test_words_of_one_language_only_tell_more_than_the_detector(
    text: str, language: str, current: str
) -> None:
    assert follow(text, current) == language


@pytest.mark.parametrize(
    ("text", "current"),
    [
        ("do you ship to Los Angeles", "en"),
        ("where is Bodø", "en"),
        ("newsletter da", "ro"),
        ("tracking", "nb"),
        ("hei my friend", "en"),
        ("min, vent litt", "nb"),
        ("do you deliver to España", "en"),
        ("I bought it for my bun and dog", "en"),
        ("mi pedido de rumano", "es"),
        ("la comanda mea de ieri, hola", "ro"),
        ("ana arond example punct org", "ro"),
        ("carmen arroba example punto net", "es"),
    ],
)
def test_a_foreign_word_changes_nothing(text: str, current: str) -> None:
    assert follow(text, current) == current


def test_a_chosen_language_takes_several_clear_words_to_leave() -> None:
    assert follow("where is my order", "nb", chosen=True) == "nb"
    assert follow("donde esta mi pedido", "nb", chosen=True) == "nb"
    long = "I would like to know where my order is and when it will arrive please"
    assert follow(long, "nb", chosen=True) == "en"


def test_product_names_are_no_language() -> None:
    text = "Vidda tunneltelt med fortelt price please"
    assert follow(text, "en", names=["Vidda tunneltelt med fortelt"]) == "en"


def test_only_the_beginning_of_a_long_message_is_read() -> None:
    """The detector's time grows with the square of some texts' length, so what it sees is limited."""
    beginning = "quiero saber dónde está mi pedido porque no ha llegado " * 20
    assert len(beginning) > MAX_CHARS
    assert follow(beginning + "jeg vil gjerne vite hvor pakken min er i dag " * 60, "en") == "es"


def test_no_text_breaks_it() -> None:
    for text in ("\0" * 50, "a" * 4000, "\u202e\ufeff" * 100, "𝔘𝔫𝔦 𝔠𝔬𝔡𝔢 𝔴𝔬𝔯𝔡𝔰", "中文 字符 测试 一下"):
        assert follow(text, "en") in LANGUAGES
