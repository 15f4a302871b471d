"""`rapport channel add whatsapp`, and what `rapport channel check` looks at there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from rapport.channels.meta import records, text
from rapport.channels.whatsapp import FIELDS
from rapport.cli import channel_meta, channel_setup
from rapport.cli.channel_meta import Kind
from rapport.cli.channel_setup import MARKS, Finding, console, done
from rapport.cli.meta_account import Account, App
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings

KIND = Kind(
    "whatsapp",
    "whatsapp_business_account",
    FIELDS,
    ("whatsapp_business_messaging", "whatsapp_business_management"),
)

WHERE_FROM = """
An app at Meta with WhatsApp in it is needed, and a number that is not used in the WhatsApp app:
  1. https://developers.facebook.com/apps → Create app → connect with customers through WhatsApp
  2. WhatsApp → API setup: add the shop's number (Meta's test number does to try things out)
  3. https://business.facebook.com/settings → System users: make one, give it the app and the WhatsApp
     account (full control), then Generate token with whatsapp_business_messaging and
     whatsapp_business_management, without expiry. Whoever has it can write as the shop: keep it safe."""


def add(
    token: Annotated[str | None, channel_meta.TOKEN_OPTION] = None,
    app_secret: Annotated[str | None, channel_meta.SECRET_OPTION] = None,
    phone_id: Annotated[
        str | None, typer.Option(help="Meta's id of the number. Default: the only one there is.")
    ] = None,
    account_id: Annotated[
        str | None,
        typer.Option("--account", help="Id of the WhatsApp account, where the token does not name it."),
    ] = None,
    url: Annotated[str | None, channel_meta.URL_OPTION] = None,
    yes: Annotated[bool, channel_meta.YES_OPTION] = False,
) -> None:
    """Switch WhatsApp on: check token, secret and number, write the settings, have messages brought here.

    Run again, it mends what is wrong and leaves the rest.
    """
    settings = channel_setup.settings()
    kept = settings.whatsapp_token
    meta = channel_meta.proven(settings, KIND, kept, token, app_secret, WHERE_FROM, yes)
    numbers = _numbers(meta.account, meta.about, account_id)
    number_id = _number_id(numbers, phone_id or settings.whatsapp_phone_id, yes)
    number = _number(meta.account, number_id)
    done(f"The number is {number['display_phone_number']} ({number.get('verified_name', '')})")
    address = channel_setup.public_url(settings, url, yes)
    values = channel_meta.shared(settings, meta.secret, address) | {
        "RAPPORT_WHATSAPP_TOKEN": meta.token,
        "RAPPORT_WHATSAPP_PHONE_ID": number_id,
        "RAPPORT_WHATSAPP_NUMBER": re.sub(r"\D", "", number["display_phone_number"]),
    }
    changed = channel_setup.save(values)
    _subscribe_account(meta.account, meta.app, numbers.get(number_id))
    verify_token = values["RAPPORT_META_VERIFY_TOKEN"]
    ready = channel_meta.webhook(settings, meta.account, meta.app, KIND, address, verify_token, bool(changed))
    channel_meta.say_next(
        f"write to the number: https://wa.me/{values['RAPPORT_WHATSAPP_NUMBER']}", KIND, ready
    )


def check(settings: Settings) -> Iterator[Finding]:
    """What Meta and the app say; in the order in which things must work."""

    def more(account: Account, app: App, about: dict[str, Any]) -> Iterator[Finding]:
        number = _number(account, settings.whatsapp_phone_id)
        quality = text(number, "quality_rating") or "unknown"
        detail = (
            f"{number['display_phone_number']}, {text(number, 'status') or 'connected'}, quality {quality}"
        )
        yield Finding("Number", "warning" if quality == "RED" else "ok", detail)
        if settings.whatsapp_number != re.sub(r"\D", "", number["display_phone_number"]):
            yield Finding("Links", "warning", "RAPPORT_WHATSAPP_NUMBER is not this number", KIND.how)
        waba = _numbers(account, about).get(settings.whatsapp_phone_id)
        if waba is None:
            yield Finding("Account", "warning", "Meta does not say which account the number belongs to")
        elif app.id not in _apps_of_waba(account, waba):
            yield Finding("Account", "wrong", f"{waba} does not tell the app what happens there", KIND.how)
        else:
            yield Finding("Account", "ok", f"{waba} tells the app what happens there")

    yield from channel_meta.findings(settings, KIND, settings.whatsapp_token, more)


def _numbers(account: Account, about: dict[str, Any], given: str | None = None) -> dict[str, str]:
    """The numbers the token may use: id → account. Of a token for all accounts Meta names none."""
    accounts = dict.fromkeys(
        str(waba)
        for scope in records(about, "granular_scopes")
        if text(scope, "scope") in KIND.scopes
        for waba in (scope.get("target_ids") or [])
    )
    found = {}
    for waba in [given] if given else accounts:
        otherwise = f"Meta does not show the numbers of the account {waba}."
        for number in records(account.get(f"{waba}/phone_numbers", otherwise), "data"):
            found[text(number, "id")] = waba
    return found


def _number_id(numbers: dict[str, str], given: str, yes: bool) -> str:
    if given:
        return given
    if len(numbers) == 1:
        return next(iter(numbers))
    listed = f" It may be one of {', '.join(numbers)}." if numbers else ""
    if yes:
        raise ConfigurationError(f"Which number? Give its id with --phone-id.{listed}")
    console.print(f"WhatsApp → API setup shows the phone number ID.{listed}", soft_wrap=True)
    return str(typer.prompt("Phone number ID")).strip()


def _number(account: Account, number_id: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9]{5,20}", number_id):
        raise ConfigurationError(
            "That is no phone number ID: it has digits only, and is not the number itself."
        )
    fields = "display_phone_number,verified_name,quality_rating,status"
    found = account.get(
        number_id, "Meta does not show this number. Is its id right, and may the token use it?", fields=fields
    )
    if not text(found, "display_phone_number"):
        raise ConfigurationError("That id is not of a number: copy the phone number ID, not the account's.")
    return found


def _apps_of_waba(account: Account, waba: str) -> set[str]:
    found = account.get(f"{waba}/subscribed_apps", f"Meta does not show the apps of {waba}.")
    return {text(one.get("whatsapp_business_api_data"), "id") for one in records(found, "data")}


def _subscribe_account(account: Account, app: App, waba: str | None) -> None:
    if waba is None:
        console.print(
            f"{MARKS['warning']} Meta does not say which WhatsApp account the number belongs to. If no"
            " messages come, run this again with --account and its id (WhatsApp → API setup shows it).",
            soft_wrap=True,
        )
    elif app.id not in _apps_of_waba(account, waba):
        account.post(f"{waba}/subscribed_apps", {}, f"The account {waba} does not take the app.")
        done("The WhatsApp account tells the app what happens there")
