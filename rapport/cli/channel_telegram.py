"""`rapport channel add telegram`, and what `rapport channel check` looks at there."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape

from rapport.channels import telegram
from rapport.channels.base import InDoubtError, TryAgainError
from rapport.channels.telegram_api import TelegramApi, TelegramError
from rapport.channels.telegram_updates import ALLOWED_UPDATES
from rapport.cli import channel_setup
from rapport.cli.channel_setup import MARKS, Finding, console, done
from rapport.kit import clock
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings

# The only ones Telegram calls.
PORTS = (443, 80, 88, 8443)
# Older troubles are history, unless messages still wait.
RECENT = timedelta(hours=1)
TRIES = 3

WHERE_FROM = """
A bot of the shop's own is needed; @BotFather in Telegram makes one:
  1. open https://t.me/BotFather and send /newbot
  2. give it the shop's name, then a user name that ends in "bot"
  3. it answers with a token like 123456789:AAE… Whoever has it can write as the shop: keep it safe.
A bot you have already: /mybots, the bot, API Token."""

# What Telegram says about our address, and what to do.
ADVICE = (
    (r"\b401\b|\b403\b", "Telegram has another secret than this app: run rapport channel add telegram again"),
    (r"\b404\b", "something else answers at this address, or the app runs without Telegram: start it again"),
    (r"certificate|ssl", "the certificate must be valid for this name, with all certificates between it and"
     " its issuer"),
    (r"\b50[234]\b", "the web server in front cannot reach the app: is it running?"),
    (r"\b5\d\d\b", "the app could not store it: look into var/log/app.log"),
    (r"\b3\d\d\b", "the address redirects, which Telegram does not follow: give the one it leads to"),
    (r"resolve", "the name is not known in DNS: is it spelt right?"),
    (r"refused|timed out|timeout|reset|closed|unreachable", "the address must be reachable from the internet:"
     " DNS, firewall, web server"),
    (r"reserved|ports|https", "the address must be a public one with https, on port 443, 80, 88 or 8443"),
)  # fmt: skip


def add(
    token: Annotated[
        str | None,
        typer.Option(help="The bot's token; - reads it from standard input. Default: it is asked for."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="The https address customers reach Rapport at. Default: RAPPORT_PUBLIC_URL."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, for scripts.")] = False,
) -> None:
    """Switch Telegram on: check the bot's token, write the settings, have messages brought here.

    Run again, it mends what is wrong and leaves the rest.
    """
    settings = channel_setup.settings()
    wanted, api, username = _bot(settings, channel_setup.given(token, "token"), yes)
    address = channel_setup.public_url(settings, url, yes, PORTS)
    before = settings.telegram_secret.get_secret_value() if settings.telegram_secret else ""
    secret = before if telegram.SECRET.fullmatch(before) else secrets.token_urlsafe(32)
    values = {
        "RAPPORT_TELEGRAM_TOKEN": wanted,
        "RAPPORT_TELEGRAM_SECRET": secret,
        "RAPPORT_TELEGRAM_BOT": username,
    }
    if address != (settings.public_url or "").rstrip("/"):
        values["RAPPORT_PUBLIC_URL"] = address
    changed = channel_setup.save(values)
    _webhook(api, f"{address}/channels/telegram", secret, "RAPPORT_TELEGRAM_SECRET" in changed, yes)
    _next(settings, username, bool(changed))


def check(settings: Settings) -> Iterator[Finding]:
    """What Telegram and the app say; in the order in which things must work."""
    token = settings.telegram_token.get_secret_value() if settings.telegram_token else ""
    api = TelegramApi(token, settings.telegram_url)
    try:
        bot = _ask(api, "getMe")
        info = _ask(api, "getWebhookInfo")
    except TelegramError as error:
        yield Finding(
            "Token", "wrong", str(error), "copy it again from @BotFather: rapport channel add telegram"
        )
        return
    except ConfigurationError as error:
        yield Finding("Telegram", "wrong", str(error))
        return
    yield Finding("Token", "ok", f"that of @{bot['username']} ({bot.get('first_name', '')})")
    if settings.telegram_bot and settings.telegram_bot.removeprefix("@").lower() != bot["username"].lower():
        detail = f"RAPPORT_TELEGRAM_BOT is {settings.telegram_bot}: links lead to another bot"
        yield Finding("User name", "wrong", detail, "rapport channel add telegram")
    yield _address(settings, info)
    missing = _missing(info)
    if missing:
        detail = f"Telegram does not bring {', '.join(missing)}"
        yield Finding("Updates", "warning", detail, "rapport channel add telegram")
    yield _deliveries(info)
    yield channel_setup.app_finding(settings, "telegram")


def _bot(settings: Settings, given: str, yes: bool) -> tuple[str, TelegramApi, str]:
    """(token, its API, the bot's user name) once Telegram knows it. Raises ConfigurationError."""
    kept = settings.telegram_token.get_secret_value() if settings.telegram_token else ""
    token = given or kept
    for left in reversed(range(TRIES)):
        asked = not token
        if asked:
            if yes:
                raise ConfigurationError(
                    f"No token is given: --token, or RAPPORT_TELEGRAM_TOKEN.\n{WHERE_FROM}"
                )
            if left == TRIES - 1:
                console.print(f"{WHERE_FROM}\n")
            token = channel_setup.secret("The bot's token")
        try:
            api, bot = _checked(token, settings.telegram_url)
        except ConfigurationError as error:
            # What was given as an option is not asked for; what was kept or typed may be typed (again).
            if yes or given or not left:
                raise
            console.print(f"{MARKS['wrong']} {escape(str(error))}", soft_wrap=True)
            token = ""
            continue
        done(f"The token is that of @{bot['username']} ({bot.get('first_name', '')})")
        return token, api, str(bot["username"])
    raise AssertionError


def _checked(token: str, url: str) -> tuple[TelegramApi, dict[str, Any]]:
    """Raises ConfigurationError unless it is a bot's token that Telegram knows."""
    if not telegram.TOKEN.fullmatch(token):
        raise ConfigurationError(
            "That is no token of a bot: those are a number, a colon and 35 signs (123456789:AAE…)."
        )
    api = TelegramApi(token, url)
    try:
        bot = _ask(api, "getMe")
    except TelegramError as error:
        raise ConfigurationError(
            f"Telegram does not know this token ({error}). Copy it again from @BotFather: /mybots, the bot,"
            " API Token. If it was revoked there, the old one is of no use any more."
        ) from None
    return api, bot


def _ask(api: TelegramApi, method: str, **parameters: Any) -> dict[str, Any]:
    """Raises TelegramError, or ConfigurationError when Telegram cannot be reached."""
    try:
        answer = api.call(method, **parameters)
    except (TryAgainError, InDoubtError) as error:
        raise ConfigurationError(
            f"Telegram {error}. Is this machine online, may it call api.telegram.org, and is"
            " RAPPORT_TELEGRAM_URL right if you set it?"
        ) from None
    return answer if isinstance(answer, dict) else {}


def _webhook(api: TelegramApi, address: str, secret: str, new_secret: bool, yes: bool) -> None:
    """Has Telegram bring messages to `address`, if it does not yet. Raises ConfigurationError."""
    try:
        info = _ask(api, "getWebhookInfo")
        there = info.get("url", "")
        # Nobody can ask Telegram for the secret; only that it was refused.
        refused = bool(_trouble(info)) and re.search(r"\b40[13]\b", info.get("last_error_message", ""))
        if there == address and not _missing(info) and not new_secret and not refused:
            done(f"Telegram brings messages to {address} already")
            return
        if there and there != address and not yes:
            console.print(
                f"At present Telegram brings this bot's messages to {escape(there)}.", soft_wrap=True
            )
            typer.confirm("Have them brought here instead?", default=True, abort=True)
        _ask(api, "setWebhook", url=address, secret_token=secret, allowed_updates=list(ALLOWED_UPDATES))
        info = _ask(api, "getWebhookInfo")
    except TelegramError as error:
        raise ConfigurationError(
            f"Telegram does not take the address {address}: {error}.\n→ {_advice(str(error))}.\n"
            "The settings are kept; then run this again."
        ) from None
    if info.get("url") != address or _missing(info):
        raise ConfigurationError(
            "Telegram took the address and then named another: is a second program using this bot's token?"
            " Stop it, then run this again."
        )
    done(f"Telegram brings messages to {address}")


def _next(settings: Settings, username: str, changed: bool) -> None:
    state = channel_setup.app_state(settings, "telegram")
    console.print("\nWhat is left to do:")
    if state == "away":
        console.print("  • start Rapport: uv run rapport up")
    elif state == "off" or changed:
        console.print("  • stop Rapport and start it again, so that it reads its settings: uv run rapport up")
    console.print(f"  • write to the bot: https://t.me/{username}")
    console.print("  • see whether all is well: uv run rapport channel check telegram")


def _address(settings: Settings, info: dict[str, Any]) -> Finding:
    name, there = "Address", info.get("url", "")
    wanted = f"{(settings.public_url or '').rstrip('/')}/channels/telegram"
    how = "rapport channel add telegram"
    if not there:
        return Finding(name, "wrong", "Telegram was not told where to bring messages", how)
    if not settings.public_url:
        return Finding(name, "warning", f"{there}, but RAPPORT_PUBLIC_URL is not set", how)
    if there != wanted:
        return Finding(name, "wrong", f"messages are brought to {there} instead of {wanted}", how)
    return Finding(name, "ok", there)


def _deliveries(info: dict[str, Any]) -> Finding:
    name, waiting = "Deliveries", int(info.get("pending_update_count", 0))
    count = f"{waiting} waiting at Telegram" if waiting else "none waiting at Telegram"
    trouble = _trouble(info)
    if not trouble:
        return Finding(name, "ok", count)
    return Finding(name, "wrong" if waiting else "warning", f"{count}; {trouble}", _advice(trouble))


def _trouble(info: dict[str, Any]) -> str:
    """What went wrong last when Telegram called us; "" when that is history."""
    at = datetime.fromtimestamp(int(info.get("last_error_date", 0)), UTC)
    recent = clock.now() - at < RECENT or info.get("pending_update_count", 0)
    if not info.get("last_error_message") or not recent:
        return ""
    return f"at {at:%Y-%m-%d %H:%M} UTC: {info['last_error_message']}"


def _missing(info: dict[str, Any]) -> list[str]:
    """What Telegram does not bring. Where nothing was asked for it brings all but reactions."""
    brought = info.get("allowed_updates") or [kind for kind in ALLOWED_UPDATES if kind != "message_reaction"]
    return [kind for kind in ALLOWED_UPDATES if kind not in brought]


def _advice(said: str) -> str:
    found = (advice for pattern, advice in ADVICE if re.search(pattern, said, re.IGNORECASE))
    return next(found, "https://core.telegram.org/bots/webhooks says what Telegram asks for")
