"""Logging in at an OpenID provider: a real one, and one that lies in every way it can."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from joserfc.jwk import RSAKey
from sqlalchemy import Engine, select
from starlette.testclient import TestClient

from rapport.app import create_app
from rapport.console import login
from rapport.console.oidc import COOKIE
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings
from rapport.staff import accounts, oidc, repository, service
from rapport.staff.models import AuditEvent, Staff
from tests.console.client import readable
from tests.staff.provider import KEY, HostileProvider, consent, real_provider, set_user

EMAIL = "ada@fjordly.example"
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"})


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """What differs between databases is tested where accounts are."""
    return sqlite_engine


@pytest.fixture
def hostile() -> Iterator[HostileProvider]:
    provider = HostileProvider()
    yield provider
    provider.stop()


def set_up(settings: Settings, issuer: str, **changes: object) -> Settings:
    values = {
        "oidc_issuer": issuer,
        "oidc_client_id": "rapport",
        "oidc_client_secret": Settings.model_validate({"oidc_client_secret": "s" * 20}).oidc_client_secret,
        "oidc_label": "Fjord ID",
    }
    return settings.model_copy(update={**values, **changes})


def add(engine: Engine, email: str = EMAIL, role: str = "manager") -> int:
    with session_scope(engine) as session:
        return service.create(session, email, email.partition("@")[0].title(), role).id


class Browser:
    """A browser that has gone to the provider and comes back as the test wants."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.app: FastAPI = create_app(settings, engine)
        self.http = TestClient(self.app, base_url="http://localhost:8080", follow_redirects=False)
        self.http.headers["Accept"] = "text/html"

    def go(self, wanted: str = "/console/account") -> str:
        answer = self.http.get("/console/openid", params={"next": wanted})
        assert answer.status_code == 303, readable(answer.text)
        cookie = answer.headers["set-cookie"]
        assert "SameSite=lax" in cookie
        assert "HttpOnly" in cookie
        return answer.headers["location"]

    def back(self, **query: str) -> tuple[int, str]:
        """(status, where it leads or what it says)"""
        answer = self.http.get("/console/openid/back", params=query)
        if answer.status_code == 303:
            return 303, answer.headers["location"]
        return answer.status_code, readable(answer.text)

    def through(self, provider: HostileProvider) -> tuple[int, str]:
        asked = parse_qs(urlsplit(self.go()).query)
        provider.nonce = asked["nonce"][0]
        return self.back(code="c", state=asked["state"][0])

    def is_in(self) -> bool:
        return self.http.get("/console/account").status_code == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the provider's own
def test_through_a_real_provider(settings: Settings, engine: Engine) -> None:
    add(engine)
    with real_provider() as issuer:
        set_user(issuer, "ada-7", email="Ada@Fjordly.example", email_verified=True)
        browser = Browser(set_up(settings, issuer), engine)
        assert "Log in with Fjord ID" in readable(browser.http.get("/console/login").text)
        url = browser.go("/console/account?x=1")
        asked = parse_qs(urlsplit(url).query)
        assert asked["redirect_uri"] == ["http://localhost:8080/console/openid/back"]
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["response_type"] == ["code"]
        returned = consent(url, "ada-7")
        answer = browser.http.get(returned)
        assert answer.headers.get("location") == "/console/account?x=1", readable(answer.text)
        assert browser.is_in()
        again = TestClient(browser.app, base_url="http://localhost:8080", follow_redirects=False)
        assert again.get(returned).status_code == 401, "what comes back is good for one browser"
        # From now on the account goes by who they are there, whatever their address becomes.
        set_user(issuer, "ada-7", email="ada@elsewhere.example", email_verified=False)
        assert browser.http.get(consent(browser.go(), "ada-7")).status_code == 303
        set_user(issuer, "eve-8", email=EMAIL, email_verified=True)
        refused = browser.http.get(consent(browser.go(), "eve-8"))
        assert refused.status_code == 401
        assert "belongs to somebody else" in readable(refused.text)
    with read_scope(engine) as session:
        staff = repository.by_email(session, EMAIL)
        assert staff is not None
        assert staff.oidc_subject == f"{issuer} ada-7"
        assert repository.count(session) == 1
        assert "link account" in session.scalars(select(AuditEvent.action)).all()


def test_what_is_in_order_gets_in(settings: Settings, engine: Engine, hostile: HostileProvider) -> None:
    """So that the refusals below are for the reason they say."""
    add(engine)
    browser = Browser(set_up(settings, hostile.issuer), engine)
    assert browser.through(hostile) == (303, "/console/account")
    assert browser.is_in()
    assert hostile.asked.count("/.well-known/openid-configuration") == 1, "it is kept"
    assert len(hostile.verifiers[0]) >= 43
    hostile.claims = {"aud": ["rapport", "another"], "azp": "rapport"}
    assert browser.through(hostile)[0] == 303
    assert hostile.asked.count("/keys") == 1


def _part(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _body(provider: HostileProvider) -> dict[str, object]:
    return {"iss": provider.issuer, "sub": "ada", "aud": "rapport", "exp": 9e9, "iat": 1, "email": EMAIL}


def _none(provider: HostileProvider) -> None:
    provider.token = f"{_part({'alg': 'none'})}.{_part(_body(provider))}."


def _public_key_as_secret(provider: HostileProvider) -> None:
    """The classic: an HMAC made with the public key, which everybody knows."""
    signed = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(_body(provider))}"
    seal = hmac.new(KEY.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
    provider.token = f"{signed}.{base64.urlsafe_b64encode(seal).decode().rstrip('=')}"


def _set(**claims: object) -> Callable[[HostileProvider], None]:
    return lambda provider: provider.claims.update(claims)


UNTRUSTED = "cannot be trusted"
LIES: dict[str, tuple[Callable[[HostileProvider], object], str]] = {
    "another nonce": (_set(nonce="x" * 43), UNTRUSTED),
    "no nonce": (_set(nonce=None), UNTRUSTED),
    "another audience": (_set(aud="another"), UNTRUSTED),
    "other audiences": (_set(aud=["another", "third"]), UNTRUSTED),
    "several audiences, no azp": (_set(aud=["rapport", "another"]), UNTRUSTED),
    "made for another": (_set(aud=["rapport", "another"], azp="another"), UNTRUSTED),
    "another issuer": (_set(iss="https://evil.example"), UNTRUSTED),
    "expired": (_set(exp=1_700_000_000), UNTRUSTED),
    "no expiry": (_set(exp=None), UNTRUSTED),
    "from the future": (_set(iat=4_000_000_000), UNTRUSTED),
    "nobody": (_set(sub=""), UNTRUSTED),
    "somebody with a huge name": (_set(sub="x" * 300), UNTRUSTED),
    "alg none": (_none, UNTRUSTED),
    "alg HS256": (_public_key_as_secret, UNTRUSTED),
    "another key": (lambda provider: setattr(provider, "key", OTHER_KEY), UNTRUSTED),
    "no id token": (lambda provider: setattr(provider, "token", "nonsense"), UNTRUSTED),
    "unverified address": (_set(email_verified=False), "is verified"),
    "nothing said of it": (_set(email_verified=None), "is verified"),
    "an address that is none": (_set(email=["ada@fjordly.example"]), "is verified"),
    "a stranger": (_set(email="eve@fjordly.example"), "no account here"),
    "somebody switched off": (_set(email="off@fjordly.example", sub="off"), "switched off"),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_let_nobody_in(settings: Settings, engine: Engine, hostile: HostileProvider, lie: str) -> None:
    add(engine)
    add(engine, "boss@fjordly.example", "admin")
    off = add(engine, "off@fjordly.example")
    with session_scope(engine) as session:
        accounts.switch_off(session, None, off)
    browser = Browser(set_up(settings, hostile.issuer), engine)
    tell, said = LIES[lie]
    tell(hostile)
    status, text = browser.through(hostile)
    assert status in {401, 502}, text
    assert said in text
    assert not browser.is_in()
    with read_scope(engine) as session:
        assert repository.count(session) == 3, "no account is ever made"
        assert session.scalars(select(Staff.oidc_subject).where(Staff.oidc_subject.is_not(None))).all() == []


@pytest.mark.parametrize(
    ("issuer", "said", "is_theirs"),
    [
        ("https://id.example", {"email_verified": True}, True),
        ("https://id.example", {"email_verified": "true"}, True),
        ("https://id.example", {"email_verified": "false"}, False),
        ("https://id.example", {"email_verified": None}, False),
        ("https://id.example", {"email_verified": ["true"]}, False),
        ("https://id.example", {"xms_edov": True}, False),
        ("https://login.microsoftonline.com/1/v2.0", {"xms_edov": True}, True),
        ("https://login.microsoftonline.com/1/v2.0", {"xms_edov": "1"}, True),
        ("https://login.microsoftonline.com/1/v2.0", {"xms_edov": False}, False),
        ("https://login.microsoftonline.com/1/v2.0", {"xms_edov": True, "email_verified": False}, False),
        ("https://login.microsoftonline.com/1/v2.0", {}, False),
    ],
)
def test_whose_address_it_is(issuer: str, said: dict[str, object], is_theirs: bool) -> None:
    assert oidc.verified_email(issuer, {"email": EMAIL, **said}) == (EMAIL if is_theirs else None)


def test_new_keys_are_fetched(
    settings: Settings, engine: Engine, hostile: HostileProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(engine)
    browser = Browser(set_up(settings, hostile.issuer), engine)
    assert browser.through(hostile)[0] == 303
    new = RSAKey.generate_key(2048, {"kid": "two"})
    hostile.keys, hostile.key, hostile.header = [new], new, {"alg": "RS256", "kid": "two"}
    assert browser.through(hostile)[0] == 502, "not at every try"
    monkeypatch.setattr(oidc, "FETCHED_AGAIN_SECONDS", 0.0)
    assert browser.through(hostile)[0] == 303


def test_the_address_may_come_from_the_profile(
    settings: Settings, engine: Engine, hostile: HostileProvider
) -> None:
    add(engine)
    hostile.claims = {"email": None, "email_verified": None}
    hostile.userinfo = {"sub": "somebody else", "email": EMAIL, "email_verified": True}
    browser = Browser(set_up(settings, hostile.issuer), engine)
    assert browser.through(hostile)[0] == 401
    hostile.userinfo = {"sub": "ada", "email": EMAIL, "email_verified": True}
    assert browser.through(hostile)[0] == 303


def test_what_comes_back_belongs_to_one_try(
    settings: Settings, engine: Engine, hostile: HostileProvider
) -> None:
    add(engine)
    browser = Browser(set_up(settings, hostile.issuer), engine)
    asked = parse_qs(urlsplit(browser.go()).query)
    hostile.nonce, state = asked["nonce"][0], asked["state"][0]
    kept = browser.http.cookies[COOKIE]
    for query in ({"state": "another"}, {}, {"state": ""}):
        browser.http.cookies.set(COOKIE, kept, path="/console/openid")
        assert browser.back(code="c", **query)[0] == 401
    browser.http.cookies.clear()
    assert browser.back(code="c", state=state)[0] == 401, "no cookie"
    browser.http.cookies.set(COOKIE, kept[:-2], path="/console/openid")
    assert browser.back(code="c", state=state)[0] == 401, "not signed by us"
    browser.http.cookies.clear()
    browser.http.cookies.set(COOKIE, kept, path="/console/openid")
    with clock.freeze(clock.now() + oidc.LIFE * 2):
        assert browser.back(code="c", state=state)[0] == 401, "too late"
    assert "/token" not in hostile.asked
    browser.http.cookies.set(COOKIE, kept, path="/console/openid")
    assert browser.back(code="c", state=state, iss="https://evil.example")[0] == 502
    browser.http.cookies.set(COOKIE, kept, path="/console/openid")
    assert browser.back(code="c", state=state)[0] == 401, "used up, even with the cookie put back"


def test_who_stops_at_the_provider_is_told(
    settings: Settings, engine: Engine, hostile: HostileProvider
) -> None:
    browser = Browser(set_up(settings, hostile.issuer), engine)
    asked = parse_qs(urlsplit(browser.go()).query)
    status, text = browser.back(error="access_denied", state=asked["state"][0])
    assert status == 401
    assert "was stopped at the provider" in text


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"issuer": "https://evil.example"}, 200),
        ({"authorization_endpoint": "http://evil.example/authorize"}, 200),
        ({"authorization_endpoint": None}, 200),
        ({}, 500),
    ],
)
def test_a_provider_that_is_broken_or_another(
    settings: Settings, engine: Engine, hostile: HostileProvider, metadata: dict[str, object], status: int
) -> None:
    hostile.metadata, hostile.status = metadata, status
    browser = Browser(set_up(settings, hostile.issuer), engine)
    answer = browser.http.get("/console/openid")
    assert answer.status_code == 502
    assert ("cannot be reached" if status == 500 else UNTRUSTED) in readable(answer.text)


def test_a_provider_that_is_down_leaves_the_password(settings: Settings, engine: Engine) -> None:
    gone = HostileProvider()
    gone.stop()
    browser = Browser(set_up(settings, gone.issuer), engine)
    answer = browser.http.get("/console/openid")
    assert answer.status_code == 502
    assert "The login provider cannot be reached." in readable(answer.text)
    assert 'name="password"' in answer.text


def test_a_stranger_cannot_keep_the_app_busy_with_a_provider_that_is_down(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "PROVIDER_PER_ADDRESS", 3)
    gone = HostileProvider()
    gone.stop()
    browser = Browser(set_up(settings, gone.issuer), engine)
    asked = [browser.http.get(f"/console/openid{way}").status_code for way in ("", "/back", "", "", "/back")]
    assert asked[0] == 502
    assert asked[3:] == [429, 429]


def test_without_a_public_address_only_on_this_machine(
    settings: Settings, engine: Engine, hostile: HostileProvider
) -> None:
    browser = Browser(set_up(settings, hostile.issuer), engine)
    answer = browser.http.get("/console/openid", headers={"Host": "evil.example"})
    assert answer.status_code == 502 or answer.status_code == 401
    public = set_up(settings, hostile.issuer, public_url="https://chat.fjordly.example/")
    asked = parse_qs(urlsplit(Browser(public, engine).http.get("/console/openid").headers["location"]).query)
    assert asked["redirect_uri"] == ["https://chat.fjordly.example/console/openid/back"]


def test_without_it_there_is_no_such_page(settings: Settings, engine: Engine) -> None:
    http = TestClient(create_app(settings, engine), base_url="http://localhost")
    assert http.get("/console/openid").status_code == 404
    assert http.get("/console/openid/back").status_code == 404
    assert "openid" not in http.get("/console/login").text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"oidc_issuer": ""}, "RAPPORT_OIDC_ISSUER must"),
        ({"oidc_client_id": ""}, "RAPPORT_OIDC_CLIENT_ID must"),
        ({"oidc_client_secret": None}, "RAPPORT_OIDC_CLIENT_SECRET must"),
        ({"oidc_client_id": "", "oidc_client_secret": None}, "CLIENT_ID, RAPPORT_OIDC_CLIENT_SECRET must"),
        ({"oidc_issuer": "", "oidc_client_id": "", "oidc_client_secret": None}, "RAPPORT_OIDC_ISSUER, "),
        ({"oidc_issuer": "http://id.example"}, "https"),
        ({"oidc_issuer": "https://id.example?x=1"}, "https"),
        ({"oidc_issuer": "https://id.example/" + "x" * 200}, "longer"),
        ({"host": "0.0.0.0"}, "RAPPORT_PUBLIC_URL"),
    ],
)
def test_half_a_configuration_stops_the_start(
    settings: Settings, engine: Engine, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        create_app(set_up(settings, "https://id.example", **changes), engine)
