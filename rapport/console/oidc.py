"""Logging in at an OpenID provider: there and back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from rapport.console import login
from rapport.console.desk import Parts, next_path
from rapport.kit.addresses import THIS_MACHINE
from rapport.kit.database import session_scope
from rapport.kit.errors import NotFoundError
from rapport.staff import accounts, oidc

COOKIE = "rapport_openid"
PATH = "/console/openid"
LONGEST = 4000

routes = APIRouter()


@routes.get("/openid")
def there(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    """To the provider."""
    parts, provider = _parts(request)
    try:
        url, kept = provider.begin(_redirect_uri(request), next_path(next[:400]))
    except oidc.RefusedError as error:
        return login.form(request, next, problem=str(error), status=502)
    answer = RedirectResponse(url, 303)
    # Lax: it must come along when the provider sends the browser back.
    answer.set_cookie(
        COOKIE,
        kept,
        max_age=int(oidc.LIFE.total_seconds()),
        path=PATH,
        secure=login.is_secure(request, parts),
        httponly=True,
        samesite="lax",
    )
    return answer


@routes.get("/openid/back")
def back(request: Request) -> Response:
    """From the provider."""
    parts, provider = _parts(request)
    shown = {name: value[:LONGEST] for name, value in request.query_params.items()}
    try:
        # The provider is asked before a transaction is open.
        identity = provider.finish(_redirect_uri(request), request.cookies.get(COOKIE, ""), shown)
        with session_scope(parts.database) as session:
            staff = accounts.find_by_identity(session, identity)
            answer = login.let_in(request, session, staff, identity.wanted)
    except oidc.RefusedError as error:
        down = str(error) in {oidc.DOWN, oidc.UNTRUSTED}
        answer = login.form(request, problem=str(error), status=502 if down else 401)
    answer.delete_cookie(COOKIE, path=PATH)
    return answer


def _parts(request: Request) -> tuple[Parts, oidc.Provider]:
    """Raises NotFoundError without a provider, and TooManyRequestsError."""
    provider: oidc.Provider | None = request.app.state.oidc
    if provider is None:
        raise NotFoundError("")
    parts: Parts = request.app.state.parts
    throttle: login.Throttle = request.app.state.throttle
    throttle.check_provider(parts, request)
    return parts, provider


def _redirect_uri(request: Request) -> str:
    """Where the provider sends browsers back to. Without `public_url` it is this machine by the name it has
    in the browser, where the cookie is. Raises RefusedError.
    """
    settings = request.app.state.parts.settings
    if settings.public_url:
        return f"{settings.base_url}{PATH}/back"
    host = request.headers.get("host", "")
    if not THIS_MACHINE.fullmatch(host):
        raise oidc.RefusedError(oidc.AGAIN)
    return f"http://{host}{PATH}/back"
