"""Orders named by their place: "the second one", "la última", "den siste", "ultima mea factură". Pure."""

from __future__ import annotations

import re

from rapport.shop.phrases import fold

# The orders stand newest first, so the last one made is the first of them. Without diacritics.
PLACES: dict[int, str] = {
    1: r"second(?: last)?|segund[oa]|penultim[oa]|andre|nest siste|nest nyeste|(?:a )?doua|(?:al )?doilea"
    r"|penultimul",
    2: r"third|tercer[oa]?|tredje|(?:a )?treia|(?:al )?treilea",
    3: r"fourth|cuart[oa]|fjerde|(?:a )?patra|(?:al )?patrulea",
    4: r"fifth|quint[oa]|femte|(?:a )?cincea|(?:al )?cincilea",
    -1: r"oldest|mas antigu[oa]|mas viej[oa]|eldste|mai veche|mai vechi",
    0: r"first|last|latest|newest|most recent|primer[oa]?|ultim[oa]|mas reciente|mas nuev[oa]|forste|siste"
    r"|nyeste|prima|primul|ultimul|mai recenta|mai noua",
}
# What may stand around such a word in a message that says nothing else.
_BESIDE = (
    "the that one ones my of them order invoice please it s is was i mean meant "
    "el la lo los las de del mi pedido factura por favor es era me refiero a al "
    "den det min mitt bestilling bestillingen ordre ordren faktura fakturaen takk er var jeg mente mener "
    "cea cel mea meu comanda factura te rog e pe aceea este"
)
BESIDE = frozenset(_BESIDE.split())
BOUGHT = (
    r"(?:order|invoice|purchase|receipt|bill|pedido|factura|compra|recibo|bestilling\w*|faktura\w*|ordren?"
    r"|kjop\w*|kvittering\w*|comanda|comenzi|factura|facturii|achizitie)"
)
NEWEST = re.compile(
    r"\b(?:last|latest|newest|most recent|ultim(?:[ao]|ei|ului)|siste|nyeste|forrige)"
    rf"(?: (?:mea|mele|meu|min))? {BOUGHT}\b|\b{BOUGHT}(?: mea)? (?:mas reciente|cea mai (?:recenta|noua))\b"
)


def place_named(text: str, count: int) -> int | None:
    """Which of `count` orders, newest first, a message that says nothing else names; None if none."""
    line = _plain(text)
    for place, words in PLACES.items():
        rest, found = re.subn(rf"\b(?:{words})\b", " ", line)
        if found:
            fits = set(rest.split()) <= BESIDE and (place < count if place >= 0 else count > 0)
            return place % count if fits else None
    return None


def newest_named(text: str) -> bool:
    """Whether "my latest invoice" or "the last order" is what a message is about."""
    return bool(NEWEST.search(_plain(text)))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", fold(text)))
