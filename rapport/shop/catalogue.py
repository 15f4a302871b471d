"""Which products, categories and topics of the shop's knowledge a message names."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

from sqlalchemy import Engine

from rapport.kit.database import read_scope
from rapport.shop import repository
from rapport.shop.facts import ShopFacts, get_facts
from rapport.shop.knowledge import Knowledge, get_knowledge
from rapport.shop.phrases import SHORT_NAME_WORDS, Key, PhraseIndex, shared_words, words

CHECK_SECONDS = 30.0
# "Vestlandet" or "Gaupe" say which product is meant; shorter words are too often others ("Sol").
SHORTEST_SINGLE = 5
# As many as are shown side by side: who says "the Vidda" may mean either.
MOST_MEANT = 3


class Catalogue:
    """Product names in all languages, the shop's words for its categories and the phrases its knowledge is
    asked for by, ready to be matched.

    One per process, for many threads. Products are looked at again every 30 seconds at most, knowledge as
    soon as its files change.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        facts: ShopFacts | None = None,
        knowledge: Callable[[], Knowledge] = get_knowledge,
    ) -> None:
        self._engine = engine
        self._facts = facts or get_facts()
        self._knowledge = knowledge
        self._topics = _Topics(knowledge())
        self._lock = threading.Lock()
        self._checked = float("-inf")
        self._state: object = None
        self._index = PhraseIndex(())

    def match(self, text: str) -> list[dict[str, str]]:
        """What `text` names: `entity` product, category or topic, `value` sku or key, `text` as typed.

        A topic may share words with a product or category: "a repair of the Vidda 2" names both.
        """
        self._refresh()
        return [
            {"entity": item.key[0], "value": item.key[1], "text": text[item.start : item.end]}
            for item in (*self._index.find(text), *self._topics.index.find(text))
        ]

    def reload(self) -> None:
        """Look at the products again with the next message."""
        self._checked = float("-inf")

    def _refresh(self) -> None:
        knowledge = self._knowledge()
        if knowledge is not self._topics.knowledge:
            self._topics = _Topics(knowledge)
        if time.monotonic() - self._checked < CHECK_SECONDS:
            return
        # One thread refreshes; the others go on with what there is, unless there is nothing yet.
        if not self._lock.acquire(blocking=self._state is None):
            return
        try:
            with read_scope(self._engine) as session:
                state = repository.products_state(session)
                if state != self._state:
                    names = repository.all_product_names(session)
                    self._index = PhraseIndex(_phrases(self._facts, names), _single_words(self._facts, names))
                    self._state = state
            self._checked = time.monotonic()
        finally:
            self._lock.release()


class _Topics:
    """The phrases of one state of the knowledge."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.index = PhraseIndex((phrase, ("topic", key)) for phrase, key in knowledge.phrases())


def _phrases(facts: ShopFacts, names: list[tuple[str, str]]) -> Iterator[tuple[str, Key]]:
    for category, said in facts.categories.items():
        for phrase in said.all():
            yield phrase, ("category", category)
    for sku, name in names:
        yield name, ("product", sku)
    for short, sku in _short_names(names):
        yield short, ("product", sku)


def _short_names(names: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What a product's names in all languages share, where it is of two words or more and nobody else's."""
    owners: dict[str, set[str]] = defaultdict(set)
    for sku, shared, _ in _shared(names, SHORT_NAME_WORDS):
        owners[" ".join(words(shared))].add(sku)
    for short, skus in owners.items():
        if len(skus) == 1:
            yield short, next(iter(skus))


def _single_words(facts: ShopFacts, names: list[tuple[str, str]]) -> dict[str, list[Key]]:
    """Single words that name products: "vestlandet" the "Vestlandet Shell 3L", "gaupe65" the "Gaupe 65"."""
    joined = {
        short.replace(" ", ""): [("product", sku)]
        for short, sku in _short_names(names)
        if any(letter.isdigit() for letter in short)
    }
    return joined | _first_words(facts, names)


def _first_words(facts: ShopFacts, names: list[tuple[str, str]]) -> dict[str, list[Key]]:
    """The word that what a product's names share begins with, for the products that have it.

    What comes after it tells kinds apart more often than products ("Light", "Kids"). Only where it is written
    as a name in all languages, in few products' names, and in all of these as their name.
    """
    occurs: dict[str, set[str]] = defaultdict(set)
    for sku, name in names:
        for word in words(name):
            occurs[word].add(sku)
    begins: dict[str, list[str]] = defaultdict(list)
    for sku, shared, own in _shared(names, 1):
        first = shared.split()[0]
        is_name = first[0].isupper() and all(first in name for name in own)
        if len(first) >= SHORTEST_SINGLE and first.isalpha() and is_name:
            begins[words(first)[0]].append(sku)
    ordinary = {word for said in facts.categories.values() for phrase in said.all() for word in words(phrase)}
    return {
        word: [("product", sku) for sku in skus]
        for word, skus in begins.items()
        if word not in ordinary and len(skus) <= MOST_MEANT and occurs[word] == set(skus)
    }


def _shared(names: list[tuple[str, str]], fewest: int) -> Iterator[tuple[str, str, list[str]]]:
    """(sku, what its names share, its names in all languages) where that is at least `fewest` words."""
    by_sku: dict[str, list[str]] = defaultdict(list)
    for sku, name in names:
        by_sku[sku].append(name)
    for sku, own in by_sku.items():
        if len(own) > 1 and (shared := shared_words(own, fewest)):
            yield sku, shared, own
