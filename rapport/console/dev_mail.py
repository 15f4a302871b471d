"""A page for development: the mails that would have gone out, when no mail server is set."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader

from rapport.kit import addresses, problems
from rapport.outreach.mail import FolderMailer

TEMPLATES = Path(__file__).parent / "templates"
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
MAX_MAILS = 200

_templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)


def router(mailer: FolderMailer) -> APIRouter:
    """`/dev/mail`, for a browser on this machine only: the mails hold one-time codes."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/dev/mail")
    def mails(request: Request) -> Response:
        if not addresses.is_this_machine(request):
            return problems.problem("forbidden", "Open this page on the machine Rapport runs on.")
        page = _templates.get_template("dev_mail.html").render(mails=mailer.list()[:MAX_MAILS])
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    @routes.get("/dev/mail.css")
    def style() -> Response:
        return FileResponse(TEMPLATES / "dev_mail.css", media_type="text/css")

    return routes
