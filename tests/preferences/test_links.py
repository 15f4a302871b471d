"""Links that stand for somebody."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rapport.kit import clock
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import get_settings
from rapport.preferences import links


@given(st.sampled_from(links.KINDS), st.integers(1, 2**31 - 1), st.sampled_from(LANGUAGES))
def test_a_token_says_what_it_was_made_for(kind: links.Kind, subject_id: int, language: str) -> None:
    token = links.make(get_settings(), kind, subject_id, language)
    link = links.read(get_settings(), token)
    assert link is not None
    assert (link.kind, link.subject_id, link.language) == (kind, subject_id, language)
    assert abs(clock.now() - link.made_at) < timedelta(seconds=2)
    assert link.expires_at == link.made_at + links.LIFE[kind]
    assert links.read(get_settings(), token.upper()) == link  # some programs change the case of links


def test_no_changed_token_is_taken() -> None:
    settings = get_settings()
    token = links.make(settings, "unsubscribe", 7, "en")
    for place, letter in enumerate(token):
        for other in "abcdefghijklmnopqrstuvwxyz234567".replace(letter, ""):
            assert links.read(settings, token[:place] + other + token[place + 1 :]) is None
    for wrong in ("", "x", token[:-1], token + "a", token[:-1] + "1", "é" * 40, token + "\n", "\0" * 40):
        assert links.read(settings, wrong) is None


def test_another_key_takes_no_token_of_ours() -> None:
    token = links.make(get_settings(), "preferences", 7, "en")
    other = get_settings().model_copy(update={"secret_key": SecretStr("another-key-" * 4)})
    assert links.read(other, token) is None


def test_what_a_token_says_cannot_be_seen_in_it() -> None:
    tokens = {links.make(get_settings(), "preferences", customer, "en") for customer in range(1, 200)}
    assert len({token[:9] for token in tokens}) == len(tokens)  # whose it is would stand there


@pytest.mark.parametrize(
    "make", [links.preferences_url, links.unsubscribe_url, links.confirm_url, links.chat_url]
)
def test_links_are_short(make: type) -> None:
    url = make(get_settings(), 2**31 - 1, "nb")
    assert url.startswith(get_settings().base_url)
    assert len(urlsplit(url).path) < 60
