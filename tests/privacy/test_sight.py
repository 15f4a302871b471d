"""What is hidden of a text about somebody, and what not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.privacy.personal import HIDDEN
from rapport.privacy.sight import Sight, telling_words

NAMES = telling_words("Lucía Moreno", ["lu.mo-berg@example.com"])
VEILED, FULL = Sight(False, NAMES), Sight(True, NAMES)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hi Lucia!", f"Hi {HIDDEN}!"),
        ("LUCÍA MORENO here", f"{HIDDEN} here"),
        ("I am Mrs Berg", f"I am {HIDDEN}"),
        ("write to a.b@c.example", f"write to {HIDDEN}"),
        ("call +47 912 34 567 now", f"call {HIDDEN} now"),
        ("to Storgata 5, 0155 Oslo\nthanks", f"to {HIDDEN}\nthanks"),
        ("to 12 High Street, London", f"to {HIDDEN}, London"),
        ("order 20001, 2 tents", "order 20001, 2 tents"),
        ("where is FJ-20001?", "where is FJ-20001?"),
        ("3 tents for 1299 kr", "3 tents for 1299 kr"),
        ("lumos", "lumos"),
        ("", ""),
    ],
)
def test_text(text: str, shown: str) -> None:
    assert VEILED.text(text) == shown
    assert FULL.text(text) == text


@given(
    st.lists(
        st.sampled_from(["Lucia", "moreno", "x@y.example", "+4791234567", "tent", "\n", "Storgata 5 Oslo"])
    )
)
def test_nothing_personal_is_left_however_it_is_put_together(words: list[str]) -> None:
    shown = VEILED.text(" ".join(words)).lower()
    assert not any(word in shown for word in ("lucia", "moreno", "x@y", "91234567", "storgata"))


def test_names_addresses_and_secrets() -> None:
    assert VEILED.name("Ann Lee") == "A. L."
    assert VEILED.address("email", "ann@example.com") == f"a{HIDDEN}@e{HIDDEN}.com"
    assert VEILED.address("whatsapp", "4791234567") == f"{HIDDEN}67"
    assert VEILED.secret("FJ-ABC") == f"FJ{HIDDEN}"
    assert FULL.name("Ann Lee") == "Ann Lee" and FULL.secret("FJ-ABC") == "FJ-ABC"
