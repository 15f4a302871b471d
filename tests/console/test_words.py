"""What services say in English is in the list that translators get."""

from __future__ import annotations

import re

from rapport.console.words import SENTENCES
from rapport.staff import links, oidc, rules


def test_every_sentence_of_the_services_is_marked() -> None:
    said = {
        value
        for module in (rules, links, oidc)
        for name, value in vars(module).items()
        if re.fullmatch(r"[A-Z_]+", name) and isinstance(value, str) and re.search(r"\w \w.*\.$", value)
    }
    assert len(said) > 15
    assert said <= set(SENTENCES)
