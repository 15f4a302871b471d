"""`rapport channel check` and `rapport doctor` for Twilio and e-mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from rapport.channels.mail_box import Fetcher
from rapport.cli import channel_email, channel_twilio, doctor
from rapport.cli.channel import ABOUT
from rapport.cli.channel_setup import Finding
from rapport.kit.settings import Settings
from tests.channels.fakes.mailbox import MailProvider
from tests.channels.fakes.twilio import NUMBER, TwilioSmsProvider, TwilioWhatsAppProvider

URL = "https://chat.fjordly.com"


@pytest.fixture
def sms() -> Iterator[TwilioSmsProvider]:
    made = TwilioSmsProvider()
    made.fake.number["sms_url"] = f"{URL}/channels/sms"
    yield made
    made.close()


def with_twilio(settings: Settings, provider: Any, **changes: Any) -> Settings:
    return settings.model_copy(update={**provider.settings(), "public_url": URL, "port": 9, **changes})


def states(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.name: f"{finding.state}: {finding.detail} {finding.advice}" for finding in findings}


def test_twilio_is_well(settings: Settings, sms: TwilioSmsProvider) -> None:
    found = states(channel_twilio.check_sms(with_twilio(settings, sms)))
    assert found["Account"].startswith("ok")
    assert found["Address"] == f"ok: {URL}/channels/sms "
    assert "rapport up" in found["App"]
    sms.fake.number["sms_url"] = f"{URL}/channels/sms#rc=5&rp=all"  # how often Twilio is to try
    found = states(channel_twilio.check_sms(with_twilio(settings, sms)))
    assert found["Address"] == f"ok: {URL}/channels/sms "


@pytest.mark.parametrize(
    ("account", "number", "changes", "name", "words"),
    [
        ({"status": "suspended"}, {}, {}, "Account", "wrong: Twilio says: suspended"),
        ({"type": "Trial"}, {}, {}, "Account", "warning: active, on trial"),
        ({}, {}, {"twilio_token": SecretStr("another")}, "Account", "wrong: Twilio does not know"),
        ({}, {}, {"twilio_url": "http://127.0.0.1:9"}, "Twilio", "wrong: cannot be reached"),
        ({}, {"sms_url": ""}, {}, "Address", "brought to nowhere"),
        ({}, {"sms_url": "https://old.example"}, {}, "Address", "brought to https://old.example"),
        ({}, {"sms_method": "GET"}, {}, "Address", "by POST"),
        ({}, {"phone_number": "+4790000000"}, {}, "Address", "wrong: the account has no such number"),
        ({}, {}, {"twilio_sms_from": "MG" + "0" * 32}, "Address", "warning"),
        ({}, {}, {"public_url": None}, "Address", "RAPPORT_PUBLIC_URL is not set"),
    ],
)
def test_what_is_wrong_at_twilio_is_found(
    settings: Settings,
    sms: TwilioSmsProvider,
    account: dict[str, str],
    number: dict[str, str],
    changes: dict[str, Any],
    name: str,
    words: str,
) -> None:
    sms.fake.account.update(account)
    sms.fake.number.update(number)
    found = states(channel_twilio.check_sms(with_twilio(settings, sms, **changes)))
    assert words in found[name]
    assert NUMBER not in str(found)


def test_whatsapp_through_twilio_says_what_to_look_at(settings: Settings) -> None:
    provider = TwilioWhatsAppProvider()
    try:
        found = states(channel_twilio.check_whatsapp(with_twilio(settings, provider)))
    finally:
        provider.close()
    assert found["Account"].startswith("ok")
    assert f"{URL}/channels/whatsapp" in found["Address"]


@pytest.fixture
def mail() -> Iterator[MailProvider]:
    made = MailProvider()
    yield made
    made.close()


def test_a_mailbox_is_looked_into(settings: Settings, mail: MailProvider) -> None:
    well = settings.model_copy(update={**mail.settings(), "port": 9})
    found = states(channel_email.check(well))
    assert found["Mailbox"].startswith("ok: INBOX at ")
    assert found["Mail"].startswith("ok")
    assert "rapport up" in found["App"]
    wrong = well.model_copy(
        update={"imap_password": SecretStr("another"), "smtp_host": "127.0.0.1", "smtp_port": 9}
    )
    found = states(channel_email.check(wrong))
    assert "wrong" in found["Mailbox"]
    assert "RAPPORT_IMAP_PASSWORD" in found["Mailbox"]
    assert found["Mail"].startswith("wrong")
    missing = well.model_copy(update={"imap_folder": "Elsewhere"})
    assert "RAPPORT_IMAP_FOLDER" in states(channel_email.check(missing))["Mailbox"]
    assert Fetcher("127.0.0.1", 9, "none", "a", "b").trouble() is not None


def test_doctor_names_the_apps(
    settings: Settings, sms: TwilioSmsProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "Messaging apps"

    def found() -> Finding:
        return next(finding for finding in doctor.examine() if finding.name == name)

    assert (found().state, "none is on" in found().detail) == ("ok", True)
    monkeypatch.setattr(doctor, "get_settings", lambda: with_twilio(settings, sms))
    assert found().detail.startswith("sms ")
    half = with_twilio(settings, sms, telegram_token=SecretStr("1:a"))
    monkeypatch.setattr(doctor, "get_settings", lambda: half)
    assert (found().state, "RAPPORT_TELEGRAM_SECRET" in found().detail) == ("wrong", True)


def test_every_channel_can_be_checked() -> None:
    assert [about.title for about in ABOUT if about.check is None] == []
    for about in ABOUT:
        assert set(about.needs) <= Settings.model_fields.keys()
