"""What is an answer to "what happened?" or "what do you think?", and what is said in between."""

from __future__ import annotations

import pytest

from rapport.conversations import answers, reviews, rules

LONG = "me dijisteis dos días y llevo tres semanas esperando, imbéciles, y nadie contesta"


@pytest.mark.parametrize(
    ("text", "intent", "insulted", "expected"),
    [
        ("zip broke", "complaint", False, "story"),
        ("no llegó nada", "track_order", False, "story"),
        ("glidelåsen røk", "complaint", False, "story"),
        ("I want my money back!", "get_refund", False, "story"),
        ("can I get my money back?", "get_refund", False, "story"),
        ("a venit cu o gaură", "nlu_fallback", False, "story"),
        ("the shop sent a wrong one", "out_of_scope", False, "story"),
        (LONG, "nlu_fallback", True, "story"),
        ("nadie contesta, imbéciles", "complaint", True, "story"),
        ("el termo es una castaña, no aguanta ni dos horas caliente", "ask_product", False, "story"),
        ("eres imbécil", "out_of_scope", True, "insult"),
        ("you absolute and utter idiot", "nlu_fallback", True, "insult"),
        ("nesimțiților", "complaint", True, "insult"),
        ("que quiero otra mochila igual pero sin el agujero", "reorder", False, "story"),
        ("perdona un momento", "out_of_scope", False, "short"),
        ("que te den", "nlu_fallback", False, "short"),
        ("vent litt nå", "nlu_fallback", False, "short"),
        ("roto", "complaint", False, "short"),
        ("😡😡😡😡", "complaint", False, "short"),
        ("?????", "out_of_scope", False, "short"),
        ("123456", "complaint", False, "short"),
        ("do you sell replacement poles?", "ask_product", False, "question"),
        ("what tent would you recommend", "ask_recommendation", False, "question"),
        ("where is my order", "track_order", False, "question"),
        ("unde e comanda mea", "track_order", False, "question"),
        ("ha salido ya mi pedido?", "track_order", False, "question"),
        ("¿qué quieres decir?", "nlu_fallback", False, "question"),
        ("unsubscribe me and delete my account", "unsubscribe", False, "question"),
    ],
)
def test_a_complaint(text: str, intent: str, insulted: bool, expected: str) -> None:
    assert answers.understood(answers.COMPLAINT, text, intent, insulted) == expected


@pytest.mark.parametrize(
    ("text", "intent", "insulted", "expected"),
    [
        ("Great boots", "nlu_fallback", False, "story"),
        ("ok", "review", False, "story"),
        ("I'd buy it again", "reorder", False, "story"),
        ("la Vidda 2 es genial", "ask_product", False, "story"),
        ("sois imbéciles", "nlu_fallback", True, "insult"),
        ("perdona un momento", "out_of_scope", False, "short"),
        ("😡😡", "out_of_scope", False, "short"),
        ("hva er koden min igjen?", "resend_code", False, "question"),
        ("gi meg en kode til", "resend_code", False, "question"),
    ],
)
def test_a_review(text: str, intent: str, insulted: bool, expected: str) -> None:
    assert answers.understood(answers.REVIEW, text, intent, insulted) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("5 stars from me", "cuatro estrellas", "fem stjerner", "două stele pt curier", "⭐⭐⭐⭐", "4/5"),
        *("four out of five", "5 de 5", "tre av fem", "praf, nota 1", "o stea", "terningkast 6"),
    ],
)
def test_what_speaks_of_stars(text: str) -> None:
    assert reviews.speaks_of_stars(text)


@pytest.mark.parametrize("text", ["5", "tres meses", "dame un 50 %", "y la 2?", "sak 12", "uy no, 5", ""])
def test_a_number_by_itself_speaks_of_nothing(text: str) -> None:
    assert not reviews.speaks_of_stars(text)


@pytest.mark.parametrize(
    ("text", "stars"),
    [
        ("uy no, 5", 5),
        ("praf, nota 1", 1),
        ("4", 4),
        ("1 or 2", None),
        ("50 %", None),
        ("4.5", None),
        ("", None),
    ],
)
def test_one_number_from_one_to_five_is_that_many_stars(text: str, stars: int | None) -> None:
    assert reviews.stars_in(text) == stars


@pytest.mark.parametrize(
    "text",
    [
        *("still waiting...", "no one's come yet", "sigo esperando", "llevo ya media hora aquí"),
        *("jeg venter fortsatt", "hvor lenge må jeg vente", "aștept de 10 minute", "astept"),
    ],
)
def test_waiting_for_a_person(text: str) -> None:
    assert rules.only_waits(text)


@pytest.mark.parametrize(
    "text",
    [
        *("I'm still waiting for my parcel", "sigo esperando mi pedido", "venter på pakken min"),
        *("aștept comanda", "cancel my order", "how many points do I have", "borrad mi cuenta"),
    ],
)
def test_a_wish_is_no_waiting(text: str) -> None:
    assert not rules.only_waits(text)


@pytest.mark.parametrize(
    "text",
    [
        *("no tengo cuenta", "I don't have an account", "jeg har ikke konto", "nu am cont", "n-am cont"),
        *("no me acuerdo de con qué correo compré", "husker ikke", "har ikke fått noe"),
    ],
)
def test_what_they_have_not(text: str) -> None:
    assert rules.lacks_something(text)


@pytest.mark.parametrize(
    "text", ["delete my account", "no, my points", "I haven't got my order", "borradme la cuenta"]
)
def test_what_is_wished_all_the_same(text: str) -> None:
    assert not rules.lacks_something(text)
