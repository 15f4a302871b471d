"""What `rapport channel check` looks at for SMS and WhatsApp through Twilio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from rapport.channels import calls
from rapport.channels.base import InDoubtError, TryAgainError
from rapport.cli import channel_setup
from rapport.cli.channel_setup import Finding
from rapport.kit.settings import Settings

CONSOLE = "https://console.twilio.com"


def check_sms(settings: Settings) -> Iterator[Finding]:
    """The account, where a number's messages are brought, and the app."""
    yield from _check(settings, "sms", settings.twilio_sms_from or "")


def check_whatsapp(settings: Settings) -> Iterator[Finding]:
    """The same for WhatsApp."""
    yield from _check(settings, "whatsapp", (settings.twilio_whatsapp_from or "").removeprefix("whatsapp:"))


def _check(settings: Settings, channel: str, origin: str) -> Iterator[Finding]:
    account = _account(settings)
    yield account
    if account.state == "wrong":
        return
    yield _address(settings, channel, origin)
    yield channel_setup.app_finding(settings, channel)


def _account(settings: Settings) -> Finding:
    try:
        status, answer = _ask(settings, ".json")
    except (TryAgainError, InDoubtError) as error:
        return Finding(
            "Twilio", "wrong", str(error), "is this machine online, and may it call api.twilio.com?"
        )
    if status in {401, 403, 404}:
        advice = f"both stand on the first page of {CONSOLE}"
        return Finding("Account", "wrong", "Twilio does not know account and token", advice)
    if status != 200 or answer.get("status") != "active":
        said = answer.get("status") or f"status {status}"
        return Finding("Account", "wrong", f"Twilio says: {said}", f"look there: {CONSOLE}")
    trial = answer.get("type") == "Trial"
    detail = "active" + (", on trial: only numbers you have verified there are written to" if trial else "")
    return Finding("Account", "warning" if trial else "ok", detail)


def _address(settings: Settings, channel: str, origin: str) -> Finding:
    wanted = f"{(settings.public_url or '').rstrip('/')}/channels/{channel}"
    if not settings.public_url:
        return Finding("Address", "wrong", "RAPPORT_PUBLIC_URL is not set", "set it: Twilio signs with it")
    if channel == "sms" and origin.startswith("+"):
        return _number(settings, origin, wanted)
    # Neither services nor WhatsApp senders can be asked for at this address of Twilio's.
    advice = f"see in {CONSOLE} that messages which come in are brought there, by POST"
    return Finding("Address", "warning", f"{wanted}: cannot be looked up", advice)


def _number(settings: Settings, number: str, wanted: str) -> Finding:
    advice = f"in {CONSOLE}: Phone Numbers, the number, Messaging: {wanted}, by POST"
    try:
        _, answer = _ask(settings, "/IncomingPhoneNumbers.json", PhoneNumber=number)
    except (TryAgainError, InDoubtError) as error:
        return Finding("Address", "warning", str(error), "try again")
    found = answer.get("incoming_phone_numbers") or []
    if not found:
        return Finding(
            "Address", "wrong", "the account has no such number", "look at RAPPORT_TWILIO_SMS_FROM"
        )
    there = found[0].get("sms_url") or ""
    # What follows # tells Twilio how often to try, and belongs to no address.
    if (there.partition("#")[0], found[0].get("sms_method")) == (wanted, "POST"):
        return Finding("Address", "ok", wanted)
    return Finding("Address", "wrong", f"messages are brought to {there or 'nowhere'}", advice)


def _ask(settings: Settings, path: str, **query: str) -> tuple[int, dict[str, Any]]:
    token = settings.twilio_token.get_secret_value() if settings.twilio_token else ""
    session = requests.Session()
    session.auth = (settings.twilio_account or "", token)
    url = f"{settings.twilio_url.rstrip('/')}/2010-04-01/Accounts/{settings.twilio_account}{path}"
    response = calls.call(session, "GET", url, params=query)
    try:
        answer = response.json()
    except ValueError:
        answer = None
    return response.status_code, answer if isinstance(answer, dict) else {}
