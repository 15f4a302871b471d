"""Whether there is an address in a message, and which of its numbers belong to it. Pure."""

from __future__ import annotations

import re

from rapport.shop.phrases import fold
from rapport.shop.rules import plain_number

# Between a street and its number: "Str. Florilor nr. 12". And streets whose last word is written small.
NUMBER_WORDS = re.compile(r"n[ro]\.?|nº|núm\.?|number|número|nummer|numărul", re.IGNORECASE)
SMALL_STREETS = {"gate", "gata", "vei", "veien", "veg", "plass", "allé"}
# Houses without a number: Spanish, Romanian, English, Norwegian.
NO_NUMBER = re.compile(
    r"\b(?:s/n|sin n[uú]mero|f(?:ără|ara) n(?:r\b|um[aă]r)|no number|uten nummer)", re.IGNORECASE
)
# What stands before an order's number and never before a postcode, without diacritics.
ORDER_WORD = re.compile(
    r"#|n[ro]|num(?:ber|ero|mer|arul)?|orders?|pedidos?|ordren?|bestilling\w*|comanda|comenzii"
)
ORDER_NUMBER = re.compile(r"#\s?\w[\w-]*|\b[A-Za-z]{2,4}-\d{3,}\b")
WORDS_WITH_A_NUMBER = 3


def without_order_numbers(text: str) -> str:
    """A text without what can only be an order's number: FJ-10234, #10234."""
    return ORDER_NUMBER.sub(" ", text)


def names_an_address(text: str) -> bool:
    """Whether there is a street with its number and a place: "Storgata 5, Oslo" or "12 High Street, London".

    People name tents, days and sums with numbers, too, so only capitals around the number count.
    """
    words = [word for word in re.split(r"[\s,;]+", text) if word and not _stands_between(word)]
    for place, word in enumerate(words):
        if not re.fullmatch(r"\d{1,4}[A-Za-z]?", word):
            continue
        after = [_is_name(name) for name in words[place + 1 : place + 4]]
        if place and _is_street(words[place - 1]) and after[:1] == [True]:
            return True
        if after == [True, True, True]:
            return True
    return False


def is_whole(text: str) -> bool:
    """Whether what was answered to "which address?" can be one a parcel finds: a number, and a place with it.

    Capitals don't count here: it was asked for, and many write none.
    """
    if names_an_address(text):
        return True
    if text.rstrip().endswith("?"):
        return False
    words = re.findall(r"[^\W_]+", NO_NUMBER.sub(" 0 ", without_order_numbers(text)))
    numbers = [place for place, word in enumerate(words) if re.search(r"\d", word)]
    names = [place for place, word in enumerate(words) if place not in numbers and _may_name(word)]
    if not numbers or len(names) < 2:
        return False
    between = any(names[0] < number < names[-1] for number in numbers)
    return between or len(numbers) > 1 or len(names) > WORDS_WITH_A_NUMBER


def has_postcode(text: str) -> bool:
    """Whether a postcode stands beside another number: hardly anything else than an address has both."""
    numbers = re.findall(r"(?<![\w-])\d+[A-Za-z]?(?!\w)", text)
    return len(numbers) > 1 and any(re.fullmatch(r"\d{4,6}", number) for number in numbers)


def is_of_an_address(text: str, number: str) -> bool:
    """Whether a number (a postcode, a phone's) stands in an address rather than after "order"."""
    if not number.isdigit() or not (names_an_address(text) or has_postcode(text)):
        return False
    words = re.findall(r"#|[^\W_]+", text)
    places = [place for place, word in enumerate(words) if plain_number(word) == number]
    before = [fold(words[place - 1]) if place else "" for place in places]
    return bool(before) and not any(ORDER_WORD.fullmatch(word) for word in before)


def _stands_between(word: str) -> bool:
    """A postcode, or a word for "number"."""
    return bool(re.fullmatch(r"\d{4,6}", word) or NUMBER_WORDS.fullmatch(word))


def _may_name(word: str) -> bool:
    return len(word) > 1 and not NUMBER_WORDS.fullmatch(word)


def _is_street(word: str) -> bool:
    return _is_name(word) or word in SMALL_STREETS


def _is_name(word: str) -> bool:
    return len(word) > 1 and word[0].isupper()
