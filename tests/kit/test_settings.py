"""Settings: complete, documented, and wrong ones are said clearly."""

from __future__ import annotations

import re

import pytest

from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import ROOT, Settings, get_settings


@pytest.fixture(autouse=True)
def fresh() -> None:
    get_settings.cache_clear()


def test_env_example_lists_every_setting_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = re.findall(r"^#?RAPPORT_([A-Z_]+)=", text, re.MULTILINE)
    assert sorted(listed) == sorted(name.upper() for name in Settings.model_fields)


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_no_secret_has_a_default() -> None:
    for name, field in Settings.model_fields.items():
        if name.endswith(("secret", "key", "password")):
            assert field.is_required() or field.default is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RAPPORT_SECRET_KEY", "short", "RAPPORT_SECRET_KEY: "),
        ("RAPPORT_PORT", "99999", "RAPPORT_PORT: "),
        ("RAPPORT_PORT", "eighty", "RAPPORT_PORT: "),
        ("RAPPORT_SMTP_SECURITY", "maybe", "RAPPORT_SMTP_SECURITY: "),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=re.escape(said)) as error:
        get_settings()
    if name.endswith("KEY"):
        assert value not in str(error.value)


def test_a_missing_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAPPORT_BOT_SECRET")
    with pytest.raises(ConfigurationError, match=r"RAPPORT_BOT_SECRET: .*rapport up"):
        get_settings()


def test_an_empty_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAPPORT_SECRET_KEY", "")
    with pytest.raises(ConfigurationError, match="RAPPORT_SECRET_KEY"):
        get_settings()
