"""Texts that the classifier of mentions never learns from, and how well it does on them."""

from __future__ import annotations

from functools import cache

import numpy as np
import yaml

from rapport.kit.settings import ROOT
from rapport.mentions.classify import KINDS, Verdict, classify_all


@cache
def held_out(language: str) -> list[tuple[str, str]]:
    """Texts and their kinds, written by somebody who had not seen what the classifier learns from."""
    file = ROOT / "tests" / "mentions" / "held_out" / f"{language}.yml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [(text, kind) for kind in KINDS for text in content[kind]]


@cache
def judged(language: str) -> list[tuple[Verdict, str]]:
    """What each held-out text is taken for, and what it is."""
    texts, kinds = zip(*held_out(language), strict=True)
    return list(zip(classify_all(texts, language), kinds, strict=True))


def confusion(language: str) -> np.ndarray:
    """How many held-out texts of each kind (rows) were taken for which (columns), in the order of KINDS."""
    counts = np.zeros((len(KINDS), len(KINDS)), dtype=int)
    for verdict, kind in judged(language):
        counts[KINDS.index(kind), KINDS.index(verdict.kind)] += 1
    return counts
