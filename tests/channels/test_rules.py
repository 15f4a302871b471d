"""How replies fit channels, what a typed answer means, and when something is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from rapport.channels import calls, rules
from rapport.channels.base import Button, Limits, Part, Template

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SMALL = Limits(text=20, buttons=2, title=8)
BUTTONS = [{"id": "b1", "title": "Yes"}, {"id": "b2", "title": "No, thanks!"}]


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("short", 20, ["short"]),
        ("", 20, []),
        ("  \n ", 20, []),
        ("one two three four five", 10, ["one two", "three four", "five"]),
        ("First half.\n\nSecond half.", 14, ["First half.", "Second half."]),
        ("One line here\nand another", 16, ["One line here", "and another"]),
        ("A sentence. Another one.", 15, ["A sentence.", "Another one."]),
        ("abcdefghijklmnop", 5, ["abcde", "fghij", "klmno", "p"]),
    ],
)
def test_texts_are_broken_where_a_reader_would(text: str, limit: int, pieces: list[str]) -> None:
    assert rules.split(text, limit) == pieces


@given(st.text(alphabet="ab .\n", max_size=300), st.integers(1, 40))
def test_nothing_but_blanks_is_lost_in_breaking(text: str, limit: int) -> None:
    pieces = rules.split(text, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_reply_with_everything() -> None:
    content = {"image": "https://shop/x.png", "buttons": [{"id": "b1", "title": "Yes", "payload": "/x"}]}
    found = rules.parts("A text of more than twenty letters.", content, 7, SMALL)
    assert found == [
        Part(image="https://shop/x.png"),
        Part(text="A text of more than"),
        Part(text="twenty letters.", buttons=(Button("7:b1", "Yes"),)),
    ]


def test_buttons_without_room_are_numbered() -> None:
    content = {"buttons": [{"id": f"b{n}", "title": f"Way {n}", "payload": "/x"} for n in (1, 2, 3)]}
    [part] = rules.parts("Which?", content, 7, Limits(text=100, buttons=2, title=8))
    assert part == Part(text="Which?\n\n1. Way 1\n2. Way 2\n3. Way 3")
    long_title = {"buttons": [{"id": "b1", "title": "A very long title", "payload": "/x"}]}
    assert rules.parts("?", long_title, 7, SMALL)[-1].buttons == ()


def test_buttons_without_a_text_are_one() -> None:
    content = {"buttons": [{"id": "b1", "title": "Yes", "payload": "/x"}]}
    assert rules.parts("", content, 7, SMALL) == [Part(text="1. Yes")]


def test_a_picture_alone_and_nothing_at_all() -> None:
    assert rules.parts("", {"image": "https://shop/x.png"}, 1, SMALL) == [Part(image="https://shop/x.png")]
    assert rules.parts("", {}, 1, SMALL) == []
    assert rules.parts("", {"image": "https://shop/x.png"}, 1, Limits(text=20, images=False)) == []


def test_a_template_goes_as_it_is() -> None:
    content = {"template": {"name": "back_soon", "language": "nb", "parameters": ["Kari"]}}
    [part] = rules.parts("Hei Kari", content, 1, SMALL)
    assert part.template == Template("back_soon", "nb", ("Kari",))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("1", "b1"),
        (" 2. ", "b2"),
        ("3", None),
        ("0", None),
        ("yes", "b1"),
        ("YES!", "b1"),
        ("no,  thanks", "b2"),
        ("yes please", None),
        ("", None),
        ("12345678901", None),
        ("²", None),
    ],
)
def test_a_typed_answer_means_a_button(said: str, meant: str | None) -> None:
    assert rules.chosen(said, BUTTONS) == meant
    assert rules.chosen(said, []) is None


STARS = [{"id": f"b{6 - n}", "title": f"{n} star{'s' * (n > 1)}"} for n in (5, 4, 3, 2, 1)]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("stars", [1, 2, 3, 4, 5])
def test_a_number_of_stars_is_that_many_stars(stars: int, listed: bool) -> None:
    """Whatever place it has, and whether the buttons are lines of a text or not."""
    name = rules.chosen(str(stars), STARS, listed)
    assert [b["title"][0] for b in STARS if b["id"] == name] == [str(stars)]
    assert rules.chosen("6", STARS, listed) is None


def test_titles_with_numbers_of_their_own_get_no_others() -> None:
    content = {"buttons": [{**button, "payload": "/x"} for button in STARS]}
    [part] = rules.parts("How many?", content, 7, Limits(text=100))
    assert part.text == "How many?\n\n5 stars\n4 stars\n3 stars\n2 stars\n1 star"


def test_the_number_of_a_line_counts_only_where_it_was_seen() -> None:
    assert rules.chosen("1", BUTTONS, listed=False) is None
    assert rules.chosen("yes", BUTTONS, listed=False) == "b1"
    tents = [{"id": "b1", "title": "2 people"}, {"id": "b2", "title": "Another"}]
    assert rules.chosen("2", tents, listed=True) == "b2"  # "2. Another" is what they read
    assert rules.chosen("2", tents, listed=False) == "b1"
    prices = [{"id": "b1", "title": "1.5 kg"}, {"id": "b2", "title": "10-12 years"}]
    assert rules.chosen("1", prices, listed=False) is None
    assert rules.are_listed("?", ["Yes"], SMALL) is False
    assert rules.are_listed("?", ["Yes", "No", "Both"], SMALL) is True
    assert rules.are_listed(" ", ["Yes"], SMALL) is True


def test_trying_again_takes_longer_and_longer_and_ends() -> None:
    first = rules.next_attempt(1, NOW, NOW, None)
    second = rules.next_attempt(2, NOW, NOW, None)
    late = rules.next_attempt(50, NOW, NOW, None)
    assert first is not None and second is not None and late is not None
    assert NOW < first < second < late == NOW + rules.LONGEST_DELAY
    assert rules.next_attempt(3, NOW, NOW - rules.GIVE_UP_AFTER, None) is None
    asked = rules.next_attempt(1, NOW, NOW, 90)
    assert asked == NOW + timedelta(seconds=90)
    assert rules.next_attempt(1, NOW, NOW, 0) == NOW + rules.FIRST_DELAY
    for absurd in (1e14, float("inf"), float("nan")):
        assert rules.next_attempt(1, NOW, NOW, absurd) == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("3", 3.0), ("99999999999999", 86_400.0), ("9" * 400, 86_400.0), ("-1", None), ("Fri", None)],
)
def test_how_long_a_provider_may_ask_us_to_wait(said: str, seconds: float | None) -> None:
    answer = requests.Response()
    answer.headers["Retry-After"] = said
    assert calls.retry_after(answer) == seconds


@pytest.mark.parametrize(
    ("hours", "window", "template", "may"),
    [(1, 24, False, True), (24, 24, False, False), (30, 24, True, True), (3000, None, False, True)],
)
def test_the_window(hours: int, window: int | None, template: bool, may: bool) -> None:
    limits = Limits(text=100, window=timedelta(hours=window) if window else None)
    part = Part(text="x", template=Template("t", "en") if template else None)
    assert rules.may_write(NOW - timedelta(hours=hours), NOW, limits, part) is may
