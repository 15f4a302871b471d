"""The table of segments: every combination of scores in exactly one, and mistakes named."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from rapport.kit.errors import ConfigurationError
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT, Settings, get_settings
from rapport.value.segments import SCORES, Scores, get_segments, load_segments, parse

NAMES = "{en: A, es: B, nb: C, ro: D}"


def expected(recency: int, frequency: int, monetary: int) -> str:
    """The same table, said in another way."""
    if recency >= 4 and frequency == 1:
        return "new"
    if recency >= 4 and frequency <= 3:
        return "promising"
    if recency >= 4:
        return "champions" if monetary >= 4 else "loyal"
    if recency == 3:
        return {1: "hibernating", 2: "needs_attention", 3: "needs_attention"}.get(frequency, "loyal")
    if frequency >= 3:
        return "at_risk"
    return "hibernating" if recency == 2 else "lost"


@pytest.mark.parametrize("scores", list(product(SCORES, SCORES, SCORES)))
def test_every_combination_is_in_exactly_one_segment(scores: Scores) -> None:
    segments = load_segments(ROOT / "segments.yml")
    assert segments.of(*scores) == expected(*scores)
    inside = [s.key for s in segments.all for box in s.boxes if box.holds(scores)]
    assert inside == [expected(*scores)]


def test_the_names_in_every_language() -> None:
    segments = load_segments(ROOT / "segments.yml")
    assert set(segments.keys) == {
        "champions", "loyal", "promising", "needs_attention", "at_risk", "hibernating", "lost", "new",
    }  # fmt: skip
    for language in LANGUAGES:
        assert len({segments.name(key, language) for key in segments.keys}) == 8
    assert segments.name("gone", "en") == "gone"


def box(text: str) -> str:
    return f"- {{key: all, name: {NAMES}, boxes: [{text}]}}"


def test_a_box_may_leave_scores_open() -> None:
    table = f"""
- {{key: good, name: {NAMES}, boxes: [{{recency: 4-5}}, {{recency: 3, monetary: 5}}]}}
- {{key: rest, name: {NAMES}, boxes: [{{recency: 1-2}}, {{recency: 3, monetary: 1-4}}]}}
"""
    segments = parse(table)
    assert (segments.of(3, 1, 5), segments.of(3, 1, 4)) == ("good", "rest")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (box("{recency: 2-5}"), "no segment has recency 1 frequency 1 monetary 1, "),
        (box("{recency: 2-5}"), "and 17 more combinations"),
        (
            box("{}")
            + f"\n- {{key: best, name: {NAMES}, boxes: [{{recency: 5, frequency: 5, monetary: 5}}]}}",
            "all and best both have recency 5 frequency 5 monetary 5",
        ),
        (box("{}, {recency: 1}"), "all and all both have recency 1"),
        (box("{}") + "\n" + box("{}"), "two segments are called all"),
        (box("{recency: 6}"), "0.boxes.0.recency: Value error, must be a score from 1 to 5"),
        (box("{recency: 5-2}"), "write 2-5"),
        (box("{frequenzy: 2}"), "0.boxes.0.frequenzy: Extra inputs"),
        ("- {key: all, name: {en: A}, boxes: [{}]}", "0.name.nb: Field required"),
        ("- {key: 'A b', name: " + NAMES + ", boxes: [{}]}", "0.key: String should match"),
        ("- {key: [", "is no valid YAML"),
        ("3", "must be a list of segments"),
        ("", "no segment has"),
        ("all: 1", "0: Input should be"),
    ],
)
def test_mistakes_are_named(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert complaint in str(caught.value)


def test_the_shops_own_table_stands_beside_its_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "champions" in get_segments().keys
    own = tmp_path / "shop"
    own.mkdir()
    monkeypatch.setenv("RAPPORT_SHOP_FILE", str(own / "shop.yml"))
    get_settings.cache_clear()
    assert "champions" in get_segments().keys  # none of its own
    (own / "segments.yml").write_text(box("{}"), encoding="utf-8")
    assert get_segments().keys == ("all",)
    (own / "segments.yml").write_text(box("{recency: 1}"), encoding="utf-8")
    load_segments.cache_clear()
    with pytest.raises(ConfigurationError, match=r"segments\.yml is wrong"):
        get_segments()
    with pytest.raises(ConfigurationError, match="Cannot read"):
        load_segments(own / "none.yml")
