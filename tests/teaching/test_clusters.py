"""What was not understood, put together."""

from __future__ import annotations

import random
import time

from rapport.kit.settings import ROOT
from rapport.teaching import files
from rapport.teaching.clusters import cluster

TEXTS = [
    "do you rent out skis",
    "can I rent skis from you",
    "do you rent skis?",
    "!!",
    "where do you park",
    "is there parking at the shop",
    "parking at your shop?",
    "Do you rent SKIS",
    "something else altogether",
]


def test_messages_that_mean_the_same_are_together_the_biggest_first() -> None:
    found = [sorted(some) for some in cluster(TEXTS)]
    assert found[0] == [0, 1, 2, 7]
    assert [5, 6] in found or [4, 5, 6] in found
    assert [8] in found
    assert sorted(number for some in found for number in some) == [0, 1, 2, 4, 5, 6, 7, 8], (
        "no words, no cluster"
    )
    assert cluster(TEXTS) == cluster(TEXTS)
    assert cluster([]) == []


def test_ten_thousand_messages_take_seconds() -> None:
    texts = [
        example
        for file in sorted((ROOT / "data" / "nlu").glob("*.yml"))
        for (kind, _, language), listed in files.examples(file.read_text(encoding="utf-8")).items()
        if kind == "intent" and language == "en"
        for example in listed
    ]
    some = random.Random(1).sample(texts, 10_000)
    began = time.process_time()
    clusters = cluster(some)
    assert time.process_time() - began < 10, "2.5 s on an idle machine"
    assert sum(map(len, clusters)) > 9_900
