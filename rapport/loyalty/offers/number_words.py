"""Whole numbers from 1 to 100 in words, in four languages, without diacritics and in lower case."""

from __future__ import annotations

EN = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen",
    "twenty thirty forty fifty sixty seventy eighty ninety",
)
ES = (
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis"
    " diecisiete dieciocho diecinueve",
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
)
NB = (
    "en to tre fire fem seks sju atte ni ti elleve tolv tretten fjorten femten seksten sytten atten nitten",
    "tjue tretti forti femti seksti sytti atti nitti",
)
RO = (
    "unu doi trei patru cinci sase sapte opt noua zece unsprezece doisprezece treisprezece paisprezece"
    " cincisprezece saisprezece saptesprezece optsprezece nouasprezece",
    "douazeci treizeci patruzeci cincizeci saizeci saptezeci optzeci nouazeci",
)
# How tens and units go together; the first of each is the usual one.
JOINTS = {EN: ("-", " "), ES: (" y ",), NB: ("", " "), RO: (" si ",)}
OTHERS = {
    "a hundred": 100,
    "one hundred": 100,
    "hundred": 100,
    "cien": 100,
    "ciento": 100,
    "hundre": 100,
    "ett hundre": 100,
    "o suta": 100,
    "un": 1,
    "o": 1,
    "ett": 1,
    "et": 1,
    "doua": 2,
    "syv": 7,
    "tyve": 20,
    "tredve": 30,
    "veintiun": 21,
}


def _all() -> dict[str, int]:
    found: dict[str, int] = {}
    for language, joints in JOINTS.items():
        small, tens = (part.split() for part in language)
        found.update({word: value for value, word in enumerate(small, 1)})
        for ten, word in enumerate(tens, 2):
            found[word] = 10 * ten
            for unit, name in enumerate(small[:9], 1):
                for joint in joints:
                    found[f"{word}{joint}{name}"] = 10 * ten + unit
                if language is ES and ten == 2:
                    found[f"veinti{name}"] = 20 + unit
    return found | OTHERS


NUMBERS = _all()
