"""A page for development: the mails that would have gone out, when no mail server is set."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from rapport.kit import addresses, problems, templates
from rapport.outreach.mail import FolderMailer

TEMPLATES = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
# Of a mail itself nothing runs and nothing is loaded; only its links open, as pages of their own.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    f" frame-ancestors 'self'; sandbox {SANDBOX}"
)
MAX_MAILS = 200

_templates = templates.environment(TEMPLATES)


def router(mailer: FolderMailer) -> APIRouter:
    """`/dev/mail`, for a browser on this machine only: the mails hold one-time codes."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/dev/mail")
    def mails(request: Request) -> Response:
        if not addresses.is_this_machine(request):
            return problems.problem("forbidden", "Open this page on the machine Rapport runs on.")
        page = _templates.get_template("dev_mail.html").render(
            mails=mailer.list()[:MAX_MAILS], sandbox=SANDBOX
        )
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    @routes.get("/dev/mail/{name}")
    def as_sent(request: Request, name: str) -> Response:
        """A mail's HTML, for the frame on the page."""
        if not addresses.is_this_machine(request):
            return problems.problem("forbidden", "Open this page on the machine Rapport runs on.")
        mail = mailer.read(name)
        if mail is None or mail.html is None:
            return problems.problem("not-found", "There is no such mail.")
        return HTMLResponse(mail.html, headers={"Content-Security-Policy": MAIL_POLICY})

    @routes.get("/dev/mail.css")
    def style() -> Response:
        return FileResponse(TEMPLATES / "dev_mail.css", media_type="text/css")

    return routes
