"""The shop's knowledge: the shipped files, what is said about wrong ones, and changes while it runs."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine

from actions.words import button_intents
from rapport.demo.catalogue import load_products
from rapport.kit.errors import ConfigurationError
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.shop.catalogue import Catalogue
from rapport.shop.facts import load_facts
from rapport.shop.knowledge import INTENTS, Knowledge, KnowledgeFolder, load_knowledge
from rapport.shop.phrases import words
from tests.bot import project

SHIPPED = ROOT / "knowledge"
FACTS = load_facts(ROOT / "shop.yml")
LONGEST_ANSWER = 900
MOST_BUTTONS = 3


def texts(text: str = "x") -> dict[str, str]:
    return dict.fromkeys(LANGUAGES, text)


def entry(text: str = "x", *asked: str, **more: Any) -> dict[str, Any]:
    phrases = {"asked": {language: list(asked) for language in LANGUAGES}} if asked else {}
    return {"answer": texts(text), **phrases, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder that is in order."""
    folder = tmp_path / "knowledge"
    folder.mkdir()
    write(folder, "intents.yml", {intent: entry() for intent in INTENTS})
    write(folder, "gifts.yml", {"gift_cards": entry("{shop} has some", "gift card")})
    return folder


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    # Two changes within the clock's resolution must not look like one.
    at = (folder / name).stat().st_mtime_ns + 1_000_000 * (1 + len(list(folder.iterdir())))
    os.utime(folder / name, ns=(at, at))


def shipped() -> Knowledge:
    return load_knowledge(SHIPPED, FACTS)


def test_what_is_shipped_is_in_order() -> None:
    knowledge = shipped()
    assert len(knowledge.entries) >= len(INTENTS) + 12
    for key, found in knowledge.entries.items():
        assert found.asked or key in INTENTS, f"nobody would ever hear {key}"
        assert len(found.next) <= MOST_BUTTONS
        assert set(found.next) <= button_intents() & set(project.intents())
        for language in LANGUAGES:
            text = found.answer.of(language)
            assert 40 <= len(text) <= LONGEST_ANSWER, f"{key}.{language} has {len(text)} characters"


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_texts_are_clean(language: str) -> None:
    knowledge = shipped()
    found = [entry.answer.of(language) for entry in knowledge.entries.values()]
    found += [tips.of(language) for tips in knowledge.care.values()]
    for text in found:
        assert "  " not in text and text == text.strip() and "{" not in text
        for mark, opening in (("?", "¿"), ("!", "¡")):
            assert text.count(opening) == (text.count(mark) if language == "es" else 0), text
        if language == "ro":
            assert not set(text) & set("şţŞŢãÃ"), text


def test_nothing_is_promised_that_only_the_offers_can() -> None:
    knowledge = shipped()
    for found in [*(entry.answer for entry in knowledge.entries.values()), *knowledge.care.values()]:
        assert not any(sign in found.of(language) for language in LANGUAGES for sign in "%‰")


def test_what_stands_in_the_shops_facts_is_not_written_out() -> None:
    said = "".join(path.read_text("utf-8") for path in SHIPPED.glob("*.yml"))
    for fact in (FACTS.url, FACTS.contact.email, FACTS.contact.phone, f"{FACTS.refunds.days} "):
        assert fact not in said.replace("30 °C", ""), fact


def test_every_category_and_no_unknown_thing_has_care_tips() -> None:
    care = shipped().care.keys()
    assert FACTS.categories.keys() - care == set()
    assert care - FACTS.categories.keys() <= load_products().keys()
    assert len(care) > len(FACTS.categories)


def test_the_rules_send_to_it_just_what_it_answers() -> None:
    [rule] = [rule for rule in project.rules().values() if {"action": "action_answer"} in rule["steps"]]
    asked = {step["intent"] for step in project.steps(rule) if "intent" in step}
    # Its answer is for shops without a program for friends; the action decides.
    assert asked | {"refer_friend"} == set(INTENTS)


def test_placeholders_are_filled_in(folder: Path) -> None:
    write(
        folder,
        "more.yml",
        {"facts": entry("{shop} {url} {email} {phone} {hours} {refund_days} {refund_how}")},
    )
    answer = load_knowledge(folder, FACTS).entries["facts"].answer
    assert answer.en.startswith(f"Fjordly https://fjordly.example/ {FACTS.contact.email}")
    assert "mandag" in answer.nb
    assert " 30 de " in answer.ro
    assert " 30 Envíanos" in answer.es


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": {"answer": {**texts(), "ro": ""}}}, "new.yml: a.answer.ro: "),
        ({"a": {"answer": {"en": "x", "es": "x", "nb": "x"}}}, "new.yml: a.answer.ro: Field required"),
        ({"a": entry("{shop} {discount}")}, r"new.yml: a.answer.en: .*unknown placeholder \{discount\}"),
        ({"a": entry("{shop")}, "new.yml: a.answer.en: .*brace"),
        ({"a": entry("{}")}, "new.yml: a.answer.en: .*placeholder"),
        ({"a": entry("{shop.name}")}, "new.yml: a.answer.en: .*placeholder"),
        ({"a": entry(next=["buy_it"])}, "new.yml: a.next: .*buy_it"),
        ({"a": entry(next=["greet"])}, "new.yml: a.next: .*greet"),
        ({"a": entry(nxt=["greet"])}, "new.yml: a.nxt: "),
        ({"a": {"asked": {"en": ["x"]}, **entry()}}, "new.yml: a.asked.es: Field required"),
        ({"a": entry("x", "one two three four five six seven")}, "new.yml: a.asked.en: .*1 to 6 words"),
        ({"a": entry("x", "!?")}, "new.yml: a.asked.en: .*1 to 6 words"),
        ({"A b": entry()}, "new.yml: A b"),
        ({"a": "just a text"}, "new.yml: a: "),
        (["a"], "new.yml: "),
        ({"gift_cards": entry()}, "gift_cards: there is another entry"),
        ({"a": entry("x", "Gift-Cárd")}, "a.asked: .*stands under gift_cards"),
    ],
)
def test_a_mistake_is_named(folder: Path, content: object, said: str) -> None:
    write(folder, "new.yml", content)
    with pytest.raises(ConfigurationError, match=said):
        load_knowledge(folder, FACTS)


def test_all_mistakes_are_named_at_once(folder: Path) -> None:
    write(folder, "one.yml", {"a": {"answer": {"en": "x"}}})
    write(folder, "two.yml", {"b": entry("{nothing}")})
    with pytest.raises(ConfigurationError) as error:
        load_knowledge(folder, FACTS)
    assert len(str(error.value).splitlines()) == 1 + 3 + 4


def test_a_missing_answer_is_named(folder: Path) -> None:
    (folder / "intents.yml").unlink()
    with pytest.raises(ConfigurationError, match="create_account: no file has this entry"):
        load_knowledge(folder, FACTS)


def test_an_entry_that_stands_twice_is_no_valid_file(folder: Path) -> None:
    (folder / "new.yml").write_text("a: {answer: {}}\nb: {}\na: {answer: {}}\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"(?s)new\.yml.*a stands there twice.*line 3"):
        load_knowledge(folder, FACTS)


def test_no_folder_and_no_yaml(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder"):
        load_knowledge(folder / "none", FACTS)
    (folder / "bad.yml").write_text("a: [", "utf-8")
    with pytest.raises(ConfigurationError, match=r"bad\.yml is no valid YAML"):
        load_knowledge(folder, FACTS)


def test_care_tips_may_be_missing_and_are_checked(folder: Path) -> None:
    assert load_knowledge(folder, FACTS).care == {}
    write(folder, "care.yml", {"tents": texts("Ask {shop}"), "SKU-1": texts()})
    assert load_knowledge(folder, FACTS).care["tents"].en == "Ask Fjordly"
    write(folder, "care.yml", {"tents": {"en": "x"}})
    with pytest.raises(ConfigurationError, match=r"care\.yml: tents\.es: Field required"):
        load_knowledge(folder, FACTS)


def test_changes_are_seen_and_mistakes_change_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened = KnowledgeFolder(folder, FACTS)
    first = opened.get()
    assert opened.get() is first
    write(folder, "gifts.yml", {"gift_cards": entry("sold out", "gift card")})
    second = opened.get()
    assert second.entries["gift_cards"].answer.en == "sold out"
    with caplog.at_level(logging.ERROR):
        write(folder, "gifts.yml", {"gift_cards": {"answer": {"en": "x"}}})
        assert opened.get() is second
        assert opened.get() is second
    assert caplog.text.count("gifts.yml: gift_cards.answer.nb: Field required") == 1
    write(folder, "gifts.yml", {})
    assert "gift_cards" not in opened.get().entries


# What people write, and the entries its words stand for.
ASKED = [
    ("do you do gift wrapping?", ["gift_wrapping"]),
    ("tenéis tarjetas regalo o envolver para regalo", ["gift_cards", "gift_wrapping"]),
    ("har dere gavekort", ["gift_cards"]),
    ("aveti carduri cadou?", ["gift_cards"]),
    ("ka e storrelsesguide for buksa", ["size_guide"]),
    ("is there a student discont", ["student_discount"]),
    ("hay descuento de estudiante", ["student_discount"]),
    ("unde e magazinul vostru, aveti parcare", ["physical_shop", "physical_shop"]),
    ("hvor lenge varer garantien", ["warranty"]),
    ("i found it cheaper elsewhere", ["price_match"]),
    ("must i pay customs duty in Sweden", ["customs"]),
    ("my parcel arrived damaged!!", ["damaged_on_arrival"]),
    ("mistet returlappen", ["lost_return_label"]),
    ("pot returna produse reduse?", ["sale_returns"]),
    ("I'd like to talk about my card", []),
    ("where is my order 10234", []),
    ("ok", []),
]


@pytest.mark.parametrize(("text", "expected"), ASKED)
def test_topics_are_found_in_messages(sqlite_engine: Engine, text: str, expected: list[str]) -> None:
    found = Catalogue(sqlite_engine).match(text)
    assert [item["value"] for item in found if item["entity"] == "topic"] == expected


def test_a_topic_hides_no_category(sqlite_engine: Engine, folder: Path) -> None:
    write(folder, "new.yml", {"rent": entry("x", "rent a tent")})
    known = KnowledgeFolder(folder, FACTS)
    found = Catalogue(sqlite_engine, FACTS, known.get).match("can I rent a tent?")
    assert [(item["entity"], item["value"], item["text"]) for item in found] == [
        ("category", "tents", "tent"),
        ("topic", "rent", "rent a tent"),
    ]


def test_new_phrases_are_found_at_once(sqlite_engine: Engine, folder: Path) -> None:
    catalogue = Catalogue(sqlite_engine, FACTS, KnowledgeFolder(folder, FACTS).get)
    assert catalogue.match("do you take dogs?") == []
    write(folder, "new.yml", {"dogs": entry("x", "dogs")})
    assert catalogue.match("do you take dogs?") == [{"entity": "topic", "value": "dogs", "text": "dogs"}]


def test_no_shipped_phrase_is_a_mere_category(sqlite_engine: Engine) -> None:
    """Such a word would bring the entry up whenever somebody speaks of the thing itself."""
    said = {" ".join(words(word)) for category in FACTS.categories.values() for word in category.all()}
    assert said & {" ".join(words(phrase)) for phrase, _ in shipped().phrases()} == set()
