"""What becomes of a text before it is classified, also of a hostile one."""

import random
import string
import tracemalloc

import numpy as np
import pytest

from bot.nlu.features import Vocabulary, features
from bot.nlu.text import tokens
from bot.tests.costs import times_ordinary


@pytest.mark.parametrize(
    "text", ["write to ana.pop+x@exemplu.ro please", "write to <ana@x.example.no> please"]
)
def test_an_address_is_one_word(text: str) -> None:
    assert tokens(text) == ["write", "to", "emailaddress", "please"]


@pytest.mark.parametrize("hostile", ["a", "a@", "a@a.", "@", "a.", "😀", "a\u0301", "? "])
def test_no_text_takes_long(hostile: str) -> None:
    assert times_ordinary(tokens, hostile) < 20


def test_new_words_do_not_fill_the_memory() -> None:
    chance = random.Random(1)
    vocabulary = Vocabulary(sorted(set(features("where is my order"))), np.ones(200, dtype=np.float32))
    tracemalloc.start()
    for _ in range(2000):
        vocabulary.row(" ".join("".join(chance.choices(string.ascii_lowercase, k=40)) for _ in range(10)))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20_000_000
