"""Logging in at an OpenID provider: authorization code with PKCE, state and nonce.

Who somebody is comes from the id token alone, whose signature, issuer, audience, age and nonce are checked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from rapport.kit import clock, tokens
from rapport.kit.errors import ConfigurationError, UnauthorizedError
from rapport.kit.settings import Settings
from rapport.staff import links

log = logging.getLogger(__name__)

PURPOSE = "openid"
LIFE = timedelta(minutes=10)
TIMEOUT_SECONDS = 5
KEPT_SECONDS = 3600.0
# Keys are fetched again before that when a token is signed with one we do not know, but not at every try.
FETCHED_AGAIN_SECONDS = 60.0
LEEWAY_SECONDS = 60
LONGEST_ISSUER, LONGEST_SUBJECT = 140, 255
# Signatures with a public key only: a secret both sides know, or none at all, shows nothing.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)

# Microsoft never says `email_verified`; whether the owner of an address's domain has verified it stands in
# `xms_edov`, another name for the same thing, if the application asks for it.
MICROSOFT = "https://login.microsoftonline.com/"

# What staff read; rapport/console/words.py has each of them marked for translation.
DOWN = "The login provider cannot be reached. Try again in a minute."
STOPPED = "The login was stopped at the provider."
AGAIN = "This login is too old or was used before. Begin again."
UNTRUSTED = "The login provider's answer cannot be trusted. The app's log says why."
UNVERIFIED = "The login provider does not say that your e-mail address is verified."
STRANGER = "There is no account here with your e-mail address. Ask an administrator for one."
OFF = "Your account here is switched off."
OTHER = "Your account here belongs to somebody else at the provider. Ask an administrator to invite you."


class RefusedError(UnauthorizedError):
    """Somebody does not get in this way; the text says why."""


@dataclass(frozen=True)
class Identity:
    """Who somebody is at the provider; `email` only if the provider has verified it."""

    subject: str
    email: str | None
    wanted: str


class Provider:
    """The OpenID provider of an installation."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, label: str, secret: str) -> None:
        self.issuer = issuer
        self.label = label
        self._client_id = client_id
        self._client_secret = client_secret
        self._secret = secret
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._used: dict[str, float] = {}

    def begin(self, redirect_uri: str, wanted: str) -> tuple[str, str]:
        """(where to send the browser, what it keeps as a cookie meanwhile). Raises RefusedError."""
        state, nonce, verifier = tokens.new_token(), tokens.new_token(), tokens.new_token()
        with self._session(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                self._endpoint("authorization_endpoint"), state=state, nonce=nonce, code_verifier=verifier
            )
        kept = links.make(
            self._secret, PURPOSE, LIFE, state=state, nonce=nonce, verifier=verifier, wanted=wanted
        )
        return str(url), kept

    def finish(self, redirect_uri: str, cookie: str, answer: Mapping[str, str]) -> Identity:
        """Who came back with this `answer`. Raises RefusedError."""
        try:
            kept = links.read(self._secret, PURPOSE, cookie)
        except UnauthorizedError:
            raise RefusedError(AGAIN) from None
        if not tokens.same(answer.get("state", ""), kept["state"]) or not self._use(kept["state"]):
            raise RefusedError(AGAIN)
        # RFC 9207: a provider that names itself must be ours.
        if answer.get("iss", self.issuer) != self.issuer:
            raise self._untrusted("another issuer has answered")
        if answer.get("error") or not answer.get("code"):
            log.info("The OpenID provider refused a login: %.60r", answer.get("error"))
            raise RefusedError(STOPPED)
        token = self._redeem(redirect_uri, answer["code"], kept["verifier"])
        claims = self._claims(token.get("id_token"), kept["nonce"])
        profile = claims if "email" in claims else self._profile(token, claims["sub"])
        subject = f"{self.issuer} {claims['sub']}"
        return Identity(subject, verified_email(self.issuer, profile), str(kept["wanted"]))

    def check(self) -> None:
        """Fetches what the provider says of itself. Raises RefusedError."""
        self._endpoint("authorization_endpoint")
        self._keys(fresh=True)

    def _redeem(self, redirect_uri: str, code: str, verifier: str) -> dict[str, Any]:
        try:
            with self._session(redirect_uri) as client:
                token: dict[str, Any] = client.fetch_token(
                    self._endpoint("token_endpoint"),
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                )
                return token
        except OAuthError as error:
            raise self._untrusted(f"it does not take the code: {error.error}") from None
        except requests.RequestException as error:
            raise self._down(error) from None
        except ValueError:
            raise self._untrusted("its token endpoint answers with no JSON") from None

    def _claims(self, id_token: object, nonce: str) -> dict[str, Any]:
        """What the id token says, all of it checked."""
        if not isinstance(id_token, str):
            raise self._untrusted("there is no id token")
        offered = self._metadata().get("id_token_signing_alg_values_supported", ["RS256"])
        algorithms = [name for name in ALGORITHMS if name in offered]
        try:
            claims = jwt.decode(id_token, self._keys(), algorithms).claims
        except (JoseError, ValueError):
            # Perhaps the provider has new keys.
            try:
                claims = jwt.decode(id_token, self._keys(fresh=True), algorithms).claims
            except (JoseError, ValueError) as error:
                raise self._untrusted(f"id token: {type(error).__name__}") from None
        essential = {name: {"essential": True} for name in ("iss", "sub", "aud", "exp", "iat", "nonce")}
        try:
            registry = jwt.JWTClaimsRegistry(
                int(clock.now().timestamp()),
                LEEWAY_SECONDS,
                **essential,  # type: ignore[arg-type]
            )
            registry.validate(claims)
        except JoseError as error:
            raise self._untrusted(f"id token: {error}") from None
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims["iss"] != self.issuer:
            raise self._untrusted("the id token has another issuer")
        if self._client_id not in audience or claims.get("azp", self._client_id) != self._client_id:
            raise self._untrusted("the id token is for another application")
        if len(audience) > 1 and "azp" not in claims:
            raise self._untrusted("the id token is for several applications")
        if not isinstance(claims["nonce"], str) or not tokens.same(claims["nonce"], nonce):
            raise self._untrusted("the id token is of another login")
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
            raise self._untrusted("the id token names nobody")
        return dict(claims)

    def _profile(self, token: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """What the provider says of somebody where the id token says nothing of an address."""
        if "userinfo_endpoint" not in self._metadata():
            return {}
        headers = {"Authorization": f"Bearer {token.get('access_token')}"}
        profile = self._fetch(self._endpoint("userinfo_endpoint"), headers)
        return profile if profile.get("sub") == subject else {}

    def _session(self, redirect_uri: str) -> OAuth2Session:
        methods = self._metadata().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        post = "client_secret_post" in methods and "client_secret_basic" not in methods
        return OAuth2Session(
            self._client_id,
            self._client_secret,
            token_endpoint_auth_method="client_secret_post" if post else "client_secret_basic",
            scope="openid email profile",
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )

    def _use(self, state: str) -> bool:
        """Uses up a login that was begun; False when it was used before."""
        now = time.monotonic()
        with self._lock:
            self._used = {known: until for known, until in self._used.items() if until > now}
            if state in self._used:
                return False
            self._used[state] = now + LIFE.total_seconds() + LEEWAY_SECONDS
            return True

    def _metadata(self) -> dict[str, Any]:
        found = self._cached("metadata", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", False)
        if found.get("issuer") != self.issuer:
            raise self._untrusted(f"it calls itself {found.get('issuer')!r:.100}")
        return found

    def _endpoint(self, name: str) -> str:
        address = self._metadata().get(name)
        if not isinstance(address, str) or not _is_safe(address):
            raise self._untrusted(f"its {name} is no https address")
        return address

    def _keys(self, fresh: bool = False) -> KeySet:
        found = self._cached("keys", self._endpoint("jwks_uri"), fresh)
        try:
            return KeySet.import_key_set(found)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise self._untrusted(f"its keys cannot be read: {type(error).__name__}") from None

    def _cached(self, name: str, address: str, fresh: bool) -> dict[str, Any]:
        """What is kept of an address, for an hour at most."""
        now = time.monotonic()
        with self._lock:
            known = self._kept.get(name)
        if known is not None and now - known[0] < (FETCHED_AGAIN_SECONDS if fresh else KEPT_SECONDS):
            return known[1]
        found = self._fetch(address)
        with self._lock:
            self._kept[name] = (now, found)
        return found

    def _fetch(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = requests.get(address, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except requests.RequestException as error:
            raise self._down(error) from None
        if not isinstance(found, dict):
            raise self._untrusted("it answers with no JSON object")
        return found

    def _down(self, error: Exception) -> RefusedError:
        log.warning("The OpenID provider %s cannot be reached: %s", self.issuer, type(error).__name__)
        return RefusedError(DOWN)

    def _untrusted(self, reason: str) -> RefusedError:
        log.warning("The OpenID provider %s cannot be trusted: %s", self.issuer, reason)
        return RefusedError(UNTRUSTED)


def verified_email(issuer: str, profile: Mapping[str, Any]) -> str | None:
    """The address of somebody at the provider, if the provider says that it is theirs."""
    email, verified = profile.get("email"), profile.get("email_verified")
    if verified is None and issuer.startswith(MICROSOFT):
        verified = profile.get("xms_edov")
    # Some providers send it as a text.
    is_theirs = verified is True or (isinstance(verified, int | str) and str(verified) in {"1", "true"})
    return email if isinstance(email, str) and is_theirs else None


def make(settings: Settings) -> Provider | None:
    """The provider the settings name, or None. Raises ConfigurationError when they are not complete."""
    secret = settings.oidc_client_secret
    given = {
        "RAPPORT_OIDC_ISSUER": settings.oidc_issuer,
        "RAPPORT_OIDC_CLIENT_ID": settings.oidc_client_id,
        "RAPPORT_OIDC_CLIENT_SECRET": secret.get_secret_value() if secret else "",
    }
    if not any(given.values()) and not settings.oidc_label:
        return None
    if missing := [name for name, value in given.items() if not value]:
        raise ConfigurationError(f"OpenID Connect is only half set up: {', '.join(missing)} must be set too.")
    issuer = settings.oidc_issuer
    if not _is_safe(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise ConfigurationError("RAPPORT_OIDC_ISSUER must be an https address, as the provider writes it.")
    if len(issuer) > LONGEST_ISSUER:
        raise ConfigurationError(f"RAPPORT_OIDC_ISSUER is longer than {LONGEST_ISSUER} characters.")
    if not settings.public_url and not _is_loopback(settings.host):
        raise ConfigurationError("OpenID Connect needs RAPPORT_PUBLIC_URL, the address of this console.")
    return Provider(
        issuer,
        settings.oidc_client_id,
        given["RAPPORT_OIDC_CLIENT_SECRET"],
        settings.oidc_label or (urlsplit(issuer).hostname or issuer),
        settings.secret_key.get_secret_value(),
    )


def _is_safe(address: str) -> bool:
    """Whether nobody in between can read or change what goes there."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
