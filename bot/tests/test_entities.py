"""Entities from the app's metadata and from data/nlu/entities.yml, the real file."""

from pathlib import Path

import pytest
from rasa.shared.nlu.training_data.loading import load_data

from bot.nlu.metadata import entities_from_metadata
from bot.nlu.patterns import Patterns, patterns_of
from bot.tests.costs import times_ordinary

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def patterns() -> Patterns:
    return patterns_of(load_data(str(ROOT / "data/nlu/entities.yml")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my order FJ-10234 please", {("order_number", "FJ-10234")}),
        ("fj10234", {("order_number", "fj10234")}),
        ("it is #536365", {("order_number", "536365")}),
        ("C536365 was cancelled", {("order_number", "C536365")}),
        ("10234", {("order_number", "10234")}),
        ("536365", {("code", "536365"), ("order_number", "536365")}),
        ("code: 123 456.", {("code", "123 456")}),
        ("I am Ana.Pop+x@exemplu.ro, ok", {("email", "Ana.Pop+x@exemplu.ro")}),
        ("¿podemos hablar ESPANOL?", {("requested_language", "es")}),
        ("snakke bokmal", {("requested_language", "nb")}),
        ("vorbiți românește", {("requested_language", "ro")}),
        ("no entiendo noruego", {("requested_language", "unnamed")}),
        ("nu înțeleg norvegiana, romana", {("requested_language", "unnamed"), ("requested_language", "ro")}),
        ("es mi pedido en la tienda", set()),
        ("I want a SLEEPING BAG and tents", {("category", "sleeping_bags"), ("category", "tents")}),
        ("soveposer og telt", {("category", "sleeping_bags"), ("category", "tents")}),
        ("write to me on WhatsApp", {("channel", "whatsapp")}),
        ("call +47 22334455", set()),
        ("FJ-ABCD-2345 or FJ-2345-ABCD, FJ-7KQM-X2PA and #FJ-2345-6789", set()),
        ("order FJ-10234-please", set()),
        ("order -FJ-10234- it is", {("order_number", "FJ-10234")}),
        ("it cost 10000.50", set()),
        ("", set()),
    ],
)
def test_what_is_found(patterns: Patterns, text: str, expected: set[tuple[str, str]]) -> None:
    assert {(entity["entity"], entity["value"]) for entity in patterns.find(text)} == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "You IDIOT",
            "this is bullshit",
            "go f*ck yourself",
            "shut up already",
            "🖕🏽",
            "you people are useless",
        ),
        *("eres TONTA", "vete a la mierda", "gilipoyas", "callate ya", "que inutil", "sois unos estafadores"),
        *("du er så dum", "dra til helvete", "jævla bot", "for noe dritt", "hold kjeft", "ubrukelige greier"),
        *("ești prost", "esti un tampit", "du-te dracului", "ce rahat", "prostule", "va urasc pe toti"),
    ],
)
def test_an_insult(patterns: Patterns, text: str) -> None:
    assert "insult" in {entity["entity"] for entity in patterns.find(text)}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a carp rod, what the Romanians call crap",
            "it got dust in it",
            "the class is at noon",
            "a big fan",
        ),
        *("a qué hora cierra", "un cono de tráfico", "se va a liar", "la curva del río", "malas condiciones"),
        *(
            "javel, da så",
            "jeg er en fan",
            "hvordan løser jeg inn poeng",
            "det går en kule varmt",
            "så dumt!",
        ),
        *(
            "merge prost fermoarul",
            "nu ratați oferta",
            "o curea de piele",
            "prostul gust",
            "la crap cu barca",
        ),
    ],
)
def test_an_everyday_word_is_no_insult(patterns: Patterns, text: str) -> None:
    assert "insult" not in {entity["entity"] for entity in patterns.find(text)}


@pytest.mark.parametrize(
    ("text", "stars"),
    [
        *(("5", "5"), (" 4! ", "4"), ("4/5", "4"), ("3 out of 5", "3"), ("3 de 5", "3"), ("2 av 5", "2")),
        *(
            ("1 din 5", "1"),
            ("5 stars!", "5"),
            ("4 of 5 stars", "4"),
            ("4 out of 5 stars", "4"),
            ("1 stjerne", "1"),
            ("5 stele", "5"),
        ),
        *(("five stars", "5"), ("Cuatro estrellas", "4"), ("tre stjerner", "3"), ("doua stele", "2")),
        *(("8/10", "4"), ("10 out of 10!", "5"), ("terningkast seks", "5"), ("le pongo un cinco", "5")),
        *(("a 3-star tent", "3"), ("4 sobre 5", "4"), ("🌟🌟🌟", "3"), ("18/10", None), ("8/105", None)),
        *(("★★★★", "4"), ("⭐⭐⭐⭐⭐", "5"), ("⭐️⭐️", "2"), ("un total de 4 estrellas", "4")),
        *(
            ("6", None),
            ("4.5 stars", None),
            ("7/5", None),
            ("on 4/5/2026", None),
            ("I ordered 2", None),
            ("45", None),
        ),
    ],
)
def test_ratings(patterns: Patterns, text: str, stars: str | None) -> None:
    found = [entity["value"] for entity in patterns.find(text) if entity["entity"] == "rating"]
    assert found == ([stars] if stars else [])


@pytest.mark.parametrize("hostile", ["a", "1", "a@", "a.", "a@a.", "AB-", "#", "1 ", "1 of ", "+47 "])
def test_no_text_takes_long(patterns: Patterns, hostile: str) -> None:
    """Rasa takes one message at a time: what is slow here keeps all other customers waiting."""
    assert times_ordinary(lambda text: list(patterns.find(text)), hostile) < 20


def test_places_are_those_of_the_text(patterns: Patterns) -> None:
    (found,) = patterns.find("Ærlig: ROMÂNĂ, takk")
    assert "Ærlig: ROMÂNĂ, takk"[found["start"] : found["end"]] == "ROMÂNĂ"


def test_patterns_survive_json(patterns: Patterns) -> None:
    data = patterns.as_dict()
    again = Patterns([tuple(pair) for pair in data["regexes"]], data["words"])
    assert list(again.find("FJ-10234 spansk")) == list(patterns.find("FJ-10234 spansk"))


def test_metadata_becomes_entities() -> None:
    metadata = {
        "language": "es",
        "verified": False,
        "entities": [{"entity": "product", "value": "s", "text": "Telt"}],
    }
    language, verified, product = entities_from_metadata(metadata, "mitt telt")
    assert (language["value"], verified["value"]) == ("es", False)
    assert (product["start"], product["end"]) == (5, 9)
    assert entities_from_metadata(None, "x") == []
    assert "start" not in entities_from_metadata({"entities": [{"entity": "p", "value": "v"}]}, "x")[0]
