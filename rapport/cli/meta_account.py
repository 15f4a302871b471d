"""What Meta says of our app, token, number and page, for the guides and checks of WhatsApp and Messenger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rapport.channels.base import InDoubtError, TryAgainError
from rapport.channels.meta import Graph, GraphError, record, records, text
from rapport.cli.channel_setup import Finding
from rapport.kit import clock
from rapport.kit.errors import ConfigurationError

# A callback that Meta could not verify, and what to do about what it met there.
NOT_VERIFIED = 2200
ADVICE = (
    ("401", "the app runs with another RAPPORT_META_VERIFY_TOKEN: stop Rapport and start it again"),
    ("404", "something else answers at this address, or the app runs without this channel: start it again"),
    ("ssl", "the certificate must be valid for this name, with all certificates between it and its issuer"),
    ("50", "the web server in front cannot reach the app: is it running?"),
)
REACHABLE = "the address must be reachable from the internet: DNS, firewall, web server, certificate"


@dataclass(frozen=True)
class App:
    """The app at Meta that a token belongs to."""

    id: str
    name: str


class Account:
    """What one token may see. Every call raises ConfigurationError with what to do when Meta says no."""

    def __init__(self, url: str, token: str, app_secret: str = "") -> None:
        self._url, self._token, self._app_secret = url, token, app_secret
        self._graph = Graph(url, token)

    def app(self) -> App:
        """Whose token it is."""
        found = self._ask(
            lambda: self._graph.get("app", fields="id,name"),
            "Meta does not take this token. Was it copied whole, and has it not expired?",
        )
        return App(text(found, "id"), text(found, "name"))

    def token(self, app: App) -> dict[str, Any]:
        """What Meta knows of the token; only the app's own secret may ask."""
        found = self._ask(
            lambda: self._as_app(app).get("debug_token", input_token=self._token),
            f"The app secret is not that of the app {app.name}: App settings → Basic → App secret.",
        )
        return record(found, "data")

    def get(self, path: str, otherwise: str, **query: str) -> dict[str, Any]:
        return self._ask(lambda: self._graph.get(path, **query), otherwise)

    def post(self, path: str, content: Mapping[str, Any], otherwise: str) -> dict[str, Any]:
        return self._ask(lambda: self._graph.post(path, content), otherwise)

    def subscription(self, app: App, kind: str) -> dict[str, Any]:
        """Where the app has Meta bring what happens to things of this kind; {} for nowhere."""
        path = f"{app.id}/subscriptions"
        found = self._ask(
            lambda: self._as_app(app).get(path), "Meta does not show the app's webhooks. Is its secret right?"
        )
        return next((one for one in records(found, "data") if text(one, "object") == kind), {})

    def subscribe(
        self, app: App, kind: str, address: str, verify_token: str, fields: tuple[str, ...]
    ) -> None:
        """Has Meta bring it to `address`, which Meta asks at once whether it is ours."""
        content = {
            "object": kind,
            "callback_url": address,
            "verify_token": verify_token,
            "fields": ",".join(fields),
        }
        try:
            self._as_app(app).post(f"{app.id}/subscriptions", content)
        except GraphError as error:
            said = self._shown(error)
            verified = error.code != NOT_VERIFIED
            advice = said if verified else next((a for sign, a in ADVICE if sign in said.lower()), REACHABLE)
            raise ConfigurationError(
                f"Meta does not take the address {address}: {said}\n→ {advice}.\nThe settings are kept; then"
                " run this again."
            ) from None
        except (TryAgainError, InDoubtError):
            raise _unreachable() from None

    def _as_app(self, app: App) -> Graph:
        return Graph(self._url, f"{app.id}|{self._app_secret}")

    def _ask(self, call: Callable[[], dict[str, Any]], otherwise: str) -> dict[str, Any]:
        try:
            return call()
        except GraphError as error:
            raise ConfigurationError(f"{otherwise}\n  Meta says: {self._shown(error)}") from None
        except (TryAgainError, InDoubtError):
            raise _unreachable() from None

    def _shown(self, error: GraphError) -> str:
        """Meta's sentence, which may quote a token."""
        said = f"{error} ({error.label})"
        for hidden in (self._token, self._app_secret):
            said = said.replace(hidden, "…") if hidden else said
        return said


def _unreachable() -> ConfigurationError:
    return ConfigurationError(
        "Meta cannot be reached. Is this machine online, may it call graph.facebook.com, and is"
        " RAPPORT_META_URL right if you set it?"
    )


def token_findings(
    about: Mapping[str, Any], app: App, scopes: tuple[str, ...], how: str
) -> Iterator[Finding]:
    """Whether a token is good for what we do, and for how long."""
    if about.get("is_valid") is not True:
        yield Finding("Token", "wrong", "Meta calls it invalid", how)
        return
    given = about.get("scopes")
    missing = [scope for scope in scopes if scope not in (given if isinstance(given, list) else [])]
    if missing:
        yield Finding("Token", "wrong", f"lacks the permission {', '.join(missing)}", how)
        return
    expires = about.get("expires_at")
    if isinstance(expires, int) and expires > 0:
        at = datetime.fromtimestamp(expires, UTC)
        state = "warning" if at > clock.now() else "wrong"
        yield Finding("Token", state, f"of the app {app.name}, expires on {at:%Y-%m-%d}", how)
    else:
        yield Finding("Token", "ok", f"of the app {app.name}, does not expire")


def webhook_findings(
    subscription: Mapping[str, Any], address: str | None, fields: tuple[str, ...], how: str
) -> Iterator[Finding]:
    """Whether Meta brings to us what we read."""
    there = text(subscription, "callback_url")
    if not there:
        yield Finding("Address", "wrong", "Meta was not told where to bring messages", how)
        return
    if address is None:
        yield Finding("Address", "warning", f"{there}, but RAPPORT_PUBLIC_URL is not set", how)
    elif there != address:
        yield Finding("Address", "wrong", f"messages are brought to {there} instead of {address}", how)
    elif subscription.get("active") is False:
        yield Finding("Address", "wrong", f"{there} is switched off at Meta", how)
    else:
        yield Finding("Address", "ok", there)
    if missing := [field for field in fields if field not in field_names(subscription)]:
        state = "wrong" if "messages" in missing else "warning"
        yield Finding("Fields", state, f"Meta does not bring {', '.join(missing)}", how)


def field_names(subscription: Mapping[str, Any]) -> set[str]:
    """The fields of a webhook; newer answers name their versions as well."""
    fields = subscription.get("fields")
    if not isinstance(fields, list):
        return set()
    return {field if isinstance(field, str) else text(field, "name") for field in fields}
