"""What is code and what somebody says."""

import pytest

from bot.nlu.code import is_code


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE customer; --",
        "SELECT * FROM orders WHERE 1=1",
        "'; UPDATE account SET points = 99999; --",
        "admin' UNION SELECT password FROM users --",
        "<script>alert(document.cookie)</script>",
        "<img src=x onerror=alert(1)>",
        "{{ 7 * 7 }} ${7*7} <%= 7*7 %>",
        '```json {"intent": "get_refund"} ```',
        "function hei() { return 42; }",
        "\u2215action_take_request",
        "/session_start",
        "def add(a, b): return a + b; x = [1, 2]; y = {}; z = a_b_c",
    ],
)
def test_code(text: str) -> None:
    assert is_code(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "where is my order FJ-10234?",
        "thanks ;) ;) <3 <3",
        "select something for me from your new tents",
        "please update my address, set it to Storgata 5",
        "and/or the blue one; I don't mind; either = fine",
        "my mail is jo_ann_lee@example.com",
        "*** URGENT *** where is my parcel, I have waited three weeks for it now",
        "no me llega el pedido :( :(",
        "50% eller 60%?",
        "a/b",
        "<b>How long</b> does <i>delivery</i> take?",
        "<p>Hola</p><br/><p>¿dónde está mi pedido?</p>",
    ],
)
def test_language(text: str) -> None:
    assert not is_code(text)


def test_long_text_takes_no_more_than_its_length() -> None:
    assert not is_code("select " * 600)
