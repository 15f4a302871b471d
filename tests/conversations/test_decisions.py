"""A yes may have a "no" in its reason; what could be either is left open."""

from __future__ import annotations

import pytest

from rapport.conversations.decisions import VERBS, decided, is_bare_verb, keeps, speaks_of_it
from rapport.conversations.requests import KINDS


def test_every_request_that_needs_a_yes_has_its_verbs() -> None:
    assert set(VERBS) == {kind for kind, needs in KINDS.items() if needs.confirm}


@pytest.mark.parametrize(
    "message",
    [
        "yes, cancel it now, in November",
        "I don't need it any more, cancel it",
        "I don’t want it anymore so please cancel",
        "sí, cancélalo, nota aparte",
        "ya no me hace falta, cancélalo",
        "no lo quiero, cancélalo",
        "ja, kanseller den nå",
        "jeg trenger den ikke lenger, avbestill",
        "da, anuleaz-o",
        "nu-mi mai trebuie, anulați",
        "nu mai am nevoie de ea, anuleaz-o",
    ],
)
def test_a_yes(message: str) -> None:
    assert decided("cancel_order", message) is True
    assert speaks_of_it("cancel_order", message)


@pytest.mark.parametrize(
    "message",
    [
        "don't cancel it",
        "I don't want to cancel it",
        "no, keep it",
        "no lo canceles",
        "no quiero cancelarlo",
        "no quiero que lo canceles",
        "No, lo quiero",
        "ikke avbestill",
        "jeg vil ikke kansellere",
        "kanseller den ikke",
        "nei, ikke kanseller den likevel!",
        "nei vent, behold den",
        "nu anula",
        "nu o anula",
        "n-o anula",
        "nu vreau să anulez",
        "Nu, o păstrez",
    ],
)
def test_a_no(message: str) -> None:
    assert decided("cancel_order", message) is False


@pytest.mark.parametrize(
    "message",
    [
        "I'm not sure I want to cancel",
        "you don't need to cancel",
        "no, cancélalo",
        "no me hace falta",
        "no lo quiero cancélalo",
        "no wait, I do want to cancel it",
        "jeg trenger den ikke avbestill",
        "nu mai vreau anulați",
        "don't cancel this one, cancel the other",
        "no, keep it and cancel the other one",
    ],
)
def test_either(message: str) -> None:
    assert decided("cancel_order", message) is None


@pytest.mark.parametrize(
    ("kind", "message", "wanted"),
    [
        ("delete_account", "no la uso nunca, bórrala", True),
        ("delete_account", "ikke slett den", False),
        ("reorder", "yes, order it again", True),
        ("reorder", "nu comanda", False),
        ("redeem_points", "don't use them", False),
        ("redeem_points", "ja, bruk poengene", True),
    ],
)
def test_other_requests(kind: str, message: str, wanted: bool) -> None:
    assert decided(kind, message) is wanted


@pytest.mark.parametrize(
    ("message", "bare"), [("cancel", True), ("anulează!", True), ("cancélalo", False), ("anulează-o", False)]
)
def test_a_verb_alone(message: str, bare: bool) -> None:
    assert is_bare_verb("cancel_order", message) is bare


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("nei, behold den", True),
        ("no, keep it", True),
        ("nu, o păstrez", True),
        ("mejor me lo quedo", True),
        ("I won't keep it", False),
        ("no, change the size", False),
    ],
)
def test_what_stays_as_it_is(message: str, kept: bool) -> None:
    assert keeps(message) is kept
