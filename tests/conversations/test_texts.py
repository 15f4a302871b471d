"""What the app itself says is there in every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapport.conversations.texts import TROUBLE, TROUBLE_FILE, load_response
from rapport.kit.errors import ConfigurationError
from rapport.kit.languages import LANGUAGES


def test_trouble_in_every_language() -> None:
    replies = load_response(TROUBLE, TROUBLE_FILE)
    assert set(replies) == set(LANGUAGES)
    assert len({reply.text for reply in replies.values()}) == len(LANGUAGES)


@pytest.mark.parametrize(
    "content",
    ["", "responses:", "responses: {other: []}", "responses: {utter_trouble: [{text: Sorry}]}", "{", "[1]"],
)
def test_a_wrong_file_is_said_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "trouble.yml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match="utter_trouble"):
        load_response(TROUBLE, path)
    with pytest.raises(ConfigurationError):
        load_response(TROUBLE, tmp_path / "none.yml")
