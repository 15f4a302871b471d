"""Which messages ask after a case, and which say that it is not over."""

from __future__ import annotations

import pytest

from rapport.cases import asking


@pytest.mark.parametrize(
    "text",
    [
        "what happened to my complaint?",
        "Any news on my complaint",
        "what's the status of my complaint",
        "has my complaint been resolved?",
        "my complaint, any news?",
        "¿Qué ha pasado con mi queja?",
        "¿hay novedades de mi reclamación?",
        "Hva skjedde med klagen min?",
        "noe nytt om klagen?",
        "er klagen min avgjort",
        "Ce s-a întâmplat cu reclamația mea?",
        "care e stadiul reclamației mele",
        "reclamația mea a fost rezolvată?",
    ],
)
def test_asks_after_a_complaint(text: str) -> None:
    assert asking.asks_after(text) == ("complaint",)


@pytest.mark.parametrize(
    "text",
    [
        "any update on case 12?",
        "what happened to my request",
        "¿cómo va mi solicitud?",
        "hva skjer med saken min",
        "ce se întâmplă cu cererea mea",
    ],
)
def test_asks_after_any_case(text: str) -> None:
    assert "request" in asking.asks_after(text)


@pytest.mark.parametrize(
    "text",
    [
        "I want to make a complaint",
        "I want to complain",
        "the zip broke",
        "what happened to my order",
        "where is my order 10001",
        "quiero poner una queja",
        "jeg vil klage",
        "vreau să fac o reclamație",
        "is there a case for this phone? in case it rains",
        "/complaint",
        "",
        "what happened is that my complaint was ignored " + "and nobody ever called me back about it " * 3,
    ],
)
def test_asks_after_nothing(text: str) -> None:
    assert asking.asks_after(text) == ()


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("it is still broken", True),
        ("it broke again", True),
        ("sigue roto", True),
        ("todavía no funciona", True),
        ("den er fortsatt ødelagt", True),
        ("det er ikke løst", True),
        ("tot nu merge", True),
        ("încă e stricat", True),
        ("the zip broke", False),
        ("la cremallera se ha roto", False),
        ("glidelåsen røk", False),
        ("fermoarul s-a rupt", False),
        ("", False),
    ],
)
def test_says_that_it_is_not_over(text: str, again: bool) -> None:
    assert asking.says_again(text) is again
