"""Asking for things the shop does not have: "do you have sofas?". Pure."""

from __future__ import annotations

import re

from rapport.shop.phrases import fold

# In four languages, without diacritics. The group is the first word of what is asked for; who says "la
# tenéis" has said before what.
_HAVE = re.compile(
    r"(?<!\bl[oa] )(?<!\bl[oa]s )(?<!\b[io]l )(?<!\bo )(?<!\ble )"
    r"\b(?:do you (?:guys )?(?:also |even )?(?:have|sell|stock|carry)|have you got"
    r"|teneis|tienen|tienes|vendeis|venden|vendes"
    r"|(?:har|selger|forer) dere"
    r"|aveti|vindeti|gasesc la voi)"
    r"\s+(?:(?:any|some|an?|also|algun[oa]?s?|un[oa]?s?|tambien|ogsa|noen|noe|ei|et?n?"
    r"|si|cumva|niste|vreun|vreo|o)\s+)*"
    r"([a-z]\w+)"
)
# What is asked for so is not another thing but the one talked about, more of it, or another kind of it.
_WORDS = (
    "it that this those these them one ones more other others another something anything in left size sizes "
    "colour colours color colors bigger smaller larger cheaper lighter warmer the my stock available ever "
    "lo la los las eso esto ese esa este esta mas otro otra otros otras algo talla tallas colores en "
    "disponible disponibles el mi cuantos cuantas ya "
    "den det de dem disse dette andre annen annet flere mer storrelse storrelser farge farger storre "
    "mindre billigere lettere varmere pa lager igjen "
    "il ii le ea asta acesta aceasta astea alta alt altele alte mai ceva marimi marime marimea "
    "culoare culori pe stoc cel cea"
)
_SAME = frozenset(_WORDS.split())


def asks_for_another_thing(text: str) -> bool:
    """Whether it asks if something is sold, and calls that something by a name of its own."""
    found = _HAVE.search(fold(text))
    return found is not None and found[1] not in _SAME
