"""What the guides to WhatsApp and Messenger share: token, secret and webhook at Meta."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import typer
from pydantic import SecretStr
from rich.markup import escape

from rapport.channels.meta import text
from rapport.cli import channel_setup
from rapport.cli.channel_setup import MARKS, Finding, console, done
from rapport.cli.meta_account import Account, App, field_names, token_findings, webhook_findings
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings

TRIES = 3
T = TypeVar("T")
APP_SETTINGS = (
    "The app secret stands at https://developers.facebook.com/apps → the app → App settings → Basic."
)

TOKEN_OPTION = typer.Option(
    help="The access token; - reads it from standard input. Default: it is asked for."
)
SECRET_OPTION = typer.Option(
    help="The app's secret; - reads it from standard input. Default: it is asked for."
)
URL_OPTION = typer.Option(help="The https address customers reach Rapport at. Default: RAPPORT_PUBLIC_URL.")
YES_OPTION = typer.Option("--yes", "-y", help="Ask nothing, for scripts.")


@dataclass(frozen=True)
class Kind:
    """A channel of Meta's: what it is called in webhooks, what we read of it, what a token must allow."""

    name: str
    object: str
    fields: tuple[str, ...]
    scopes: tuple[str, ...]

    @property
    def how(self) -> str:
        return f"rapport channel add {self.name}"


More = Callable[[Account, App, dict[str, Any]], Iterator[Finding]]


def findings(settings: Settings, kind: Kind, token: SecretStr | None, more: More) -> Iterator[Finding]:
    """What Meta and the app say; in the order in which things must work."""
    account = Account(settings.meta_url, value(token), value(settings.meta_app_secret))
    address = f"{settings.public_url.rstrip('/')}/channels/{kind.name}" if settings.public_url else None
    try:
        app = account.app()
        about = account.token(app)
        yield from token_findings(about, app, kind.scopes, kind.how)
        yield from more(account, app, about)
        yield from webhook_findings(account.subscription(app, kind.object), address, kind.fields, kind.how)
    except ConfigurationError as error:
        yield Finding("Meta", "wrong", str(error), kind.how)
    yield channel_setup.app_finding(settings, kind.name)


# --- asking ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proven:
    """What a guide knows once Meta has taken both secrets; `about` is what Meta knows of the token."""

    token: str
    secret: str
    app: App
    account: Account
    about: dict[str, Any]


def proven(
    settings: Settings,
    kind: Kind,
    kept: SecretStr | None,
    token: str | None,
    app_secret: str | None,
    where_from: str,
    yes: bool,
) -> Proven:
    """The token (given, `kept` in the settings, or asked for) and the app's secret, both tried at Meta."""
    given = channel_setup.given(token, "token")
    wanted, app = _checked_token(settings, given, kept, where_from, yes)
    account, secret, about = _checked_secret(
        settings, wanted, channel_setup.given(app_secret, "app-secret"), app, yes
    )
    _expect(token_findings(about, app, kind.scopes, where_from.strip()))
    return Proven(wanted, secret, app, account, about)


def _checked_token(
    settings: Settings, given: str, kept: SecretStr | None, where_from: str, yes: bool
) -> tuple[str, App]:
    """A token that Meta takes, and its app."""

    def checked(token: str) -> App:
        return Account(settings.meta_url, token).app()

    token, app = _asked("The access token", given, value(kept), where_from, yes, checked)
    done(f"The token is of the app {app.name}")
    return token, app


def _checked_secret(
    settings: Settings, token: str, given: str, app: App, yes: bool
) -> tuple[Account, str, dict[str, Any]]:
    """(account, the app's secret, what Meta knows of the token)."""

    def checked(secret: str) -> tuple[Account, dict[str, Any]]:
        account = Account(settings.meta_url, token, secret)
        return account, account.token(app)

    kept = value(settings.meta_app_secret)
    secret, (account, about) = _asked("The app secret", given, kept, APP_SETTINGS, yes, checked)
    done("The app secret is right")
    return account, secret, about


def _asked(
    what: str, given: str, kept: str, where_from: str, yes: bool, checked: Callable[[str], T]
) -> tuple[str, T]:
    """What was given, else what is kept, else what is typed, once it is right."""
    value = given or kept
    for left in reversed(range(TRIES)):
        if not value:
            if yes:
                raise ConfigurationError(f"{what} is not given.\n{where_from}")
            console.print(f"{where_from}\n")
            value = channel_setup.secret(what)
        try:
            return value, checked(value)
        except ConfigurationError as error:
            # What was given as an option is not asked for; what was kept or typed may be typed (again).
            if yes or given or not left:
                raise
            console.print(f"{MARKS['wrong']} {escape(str(error))}", soft_wrap=True)
            value = ""
    raise AssertionError


def _expect(findings: Iterator[Finding]) -> None:
    """Go on, unless something is wrong."""
    for finding in findings:
        if finding.state == "wrong":
            raise ConfigurationError(f"{finding.name}: {finding.detail}.\n{finding.advice}")
        if finding.state == "warning":
            channel_setup.show(finding)


def shared(settings: Settings, app_secret: str, address: str) -> dict[str, str]:
    verify_token = value(settings.meta_verify_token) or secrets.token_urlsafe(24)
    values = {"RAPPORT_META_APP_SECRET": app_secret, "RAPPORT_META_VERIFY_TOKEN": verify_token}
    if address != (settings.public_url or "").rstrip("/"):
        values["RAPPORT_PUBLIC_URL"] = address
    return values


def value(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


# --- the webhook -------------------------------------------------------------------------------------------


def webhook(
    settings: Settings,
    account: Account,
    app: App,
    kind: Kind,
    address: str,
    verify_token: str,
    changed: bool,
) -> bool:
    """Has Meta bring messages here, if it does not yet; False when the app has to be started first."""
    wanted = f"{address}/channels/{kind.name}"
    there = account.subscription(app, kind.object)
    if text(there, "callback_url") == wanted and set(kind.fields) <= field_names(there):
        done(f"Meta brings messages to {wanted} already")
        return not changed
    # Meta asks the address at once, and only an app with these settings can answer.
    if changed or channel_setup.app_state(settings, kind.name) != "on":
        return False
    more = sorted(field_names(there) - set(kind.fields) - {""})  # the new list takes the old one's place
    account.subscribe(app, kind.object, wanted, verify_token, (*kind.fields, *more))
    done(f"Meta brings messages to {wanted}")
    return True


def say_next(write: str, kind: Kind, ready: bool) -> None:
    console.print("\nWhat is left to do:")
    if not ready:
        console.print("  • start Rapport, or stop it and start it again if it runs: uv run rapport up")
        console.print(f"  • then once more: uv run {kind.how} (Meta asks the app before it brings anything)")
    console.print(f"  • {write}")
    console.print(f"  • see whether all is well: uv run rapport channel check {kind.name}")
