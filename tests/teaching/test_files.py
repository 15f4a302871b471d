"""Files of training examples are edited line by line and stay what they were otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapport.kit.errors import InvalidInputError
from rapport.kit.settings import ROOT
from rapport.teaching import files
from rapport.teaching.files import Change
from rapport.teaching.rules import as_example

FILE = """# The customer asks where an order is.
# Not: when it arrives.
version: "3.1"

nlu:
- intent: track_order
  metadata: {language: en}
  examples: |
    - where is my order
    - which [tent]{"entity":"category","value":"tents"} did i order

- intent: track_order
  metadata: {language: es}
  examples: |
    - dónde está mi pedido
"""


def change(text: str, language: str = "en", name: str = "track_order", kind: str = "intent") -> Change:
    return Change("track_order.yml", kind, name, language, text)


def test_an_example_is_added_below_the_others_and_nothing_else_changes() -> None:
    after = files.add(FILE, [change("any news of my parcel")])
    assert after.splitlines() == [
        *FILE.splitlines()[:10],
        "    - any news of my parcel",
        *FILE.splitlines()[10:],
    ]
    assert files.add(after, [change("any news of my parcel")]) == after
    assert files.diff({"track_order.yml": FILE}, {"track_order.yml": after}).splitlines()[-3:] == [
        "+    - any news of my parcel",
        " ",
        " - intent: track_order",
    ]


def test_a_language_and_an_intent_that_were_not_there_get_a_block() -> None:
    after = files.add(FILE, [change("hvor er pakken", "nb")])
    assert after.endswith(
        "pedido\n\n- intent: track_order\n  metadata: {language: nb}\n  examples: |\n    - hvor er pakken\n"
    )
    assert files.parse(files.add("", [change("hi", "en", "greet")]))[0].examples == ("hi",)


def test_a_synonym_is_added_to_its_list() -> None:
    text = (ROOT / "data" / "nlu" / "entities.yml").read_text(encoding="utf-8")
    after = files.add(text, [change("sovesekk", "", "sleeping_bags", "synonym")])
    assert "sovesekk" in files.examples(after)[("synonym", "sleeping_bags", "")]
    assert len(after.splitlines()) == len(text.splitlines()) + 1


def test_what_was_added_is_taken_out_again_and_what_is_gone_is_told() -> None:
    new = [change("any news"), change("qué tal mi paquete", "es"), change("hvor er pakken", "nb")]
    after = files.add(FILE, new[:2])
    assert files.remove(after, new) == (FILE, [new[2]])


@pytest.mark.parametrize(
    "text", ["", " a", "a\nb", "a [b](c) d", '[b]{"entity": "c"}', "/restart", "# x", "a\u2028b"]
)
def test_what_would_break_the_format_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        files.add(FILE, [change(text)])


ALL = {
    file.name: file.read_text(encoding="utf-8")
    for file in sorted((ROOT / "data" / "nlu").glob("*.yml"))
    if file.stat().st_size < 40_000
}


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(ALL)),
    st.lists(st.tuples(st.sampled_from(("en", "es", "nb", "ro")), st.text(max_size=40)), max_size=4),
)
def test_any_message_can_be_added_to_any_file(file: str, messages: list[tuple[str, str]]) -> None:
    """parse(before + examples) is parse(before) and the examples; twice is once; and back again."""
    before = ALL[file]
    name = next((block.name for block in files.parse(before) if block.kind == "intent"), "greet")
    new = [
        Change(file, "intent", name, language, line)
        for language, text in messages
        if (line := as_example(text))
    ]
    after = files.add(before, new)
    expected = files.examples(before)
    for one in new:
        listed = expected.setdefault(("intent", name, one.language), [])
        if one.text not in listed:
            listed.append(one.text)
    assert files.examples(after) == expected
    assert files.add(after, new) == after
    old = files.examples(before)
    fresh = {one: None for one in new if one.text not in old.get(("intent", name, one.language), [])}
    taken, missing = files.remove(after, fresh)
    assert missing == []
    assert taken.rstrip("\n") == before.rstrip("\n")
    assert {key: some for key, some in files.examples(taken).items() if some} == {
        key: some for key, some in old.items() if some
    }


def test_every_file_of_the_project_is_understood_whole() -> None:
    for file in sorted((ROOT / "data" / "nlu").glob("*.yml")):
        text = file.read_text(encoding="utf-8")
        listed = [
            line for line in text.splitlines() if line.lstrip().startswith("- ") and ": " not in line[:12]
        ]
        found = sum(len(block.examples) for block in files.parse(text))
        assert found == sum(1 for line in text.splitlines() if line.startswith(("    - ", "      - "))), file
        assert found >= len(listed) - len(files.parse(text))


def test_a_customer_who_writes_like_the_format_begins_no_block() -> None:
    text = "nlu:\n- intent: greet\n  metadata: {language: en}\n  examples: |\n    - hi\n"
    hostile = Change("greet.yml", "intent", "greet", "en", "intent: thank")
    after = files.add(files.add(text, [hostile]), [replace(hostile, text="hello")])
    assert files.examples(after) == {("intent", "greet", "en"): ["hi", "intent: thank", "hello"]}
    assert files.remove(after, [hostile])[1] == []
