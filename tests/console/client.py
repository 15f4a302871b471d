"""Staff at their browsers, without a browser: cookies, the CSRF token of the page, forms."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx2 as httpx
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from rapport.kit.database import session_scope
from rapport.staff import service

PASSWORD = "four words that nobody guesses"
ROLES = ("agent", "manager", "admin")


def address(role: str) -> str:
    return f"{role}@fjordly.example"


def add_staff(database: Engine, role: str, language: str = "en", email: str | None = None) -> int:
    """An account with `PASSWORD`; its id. Each role has one name."""
    with session_scope(database) as session:
        name = {"agent": "Ada Agent", "manager": "Mia Manager", "admin": "Adam Admin"}[role]
        return service.create(session, email or address(role), name, role, PASSWORD, language).id


class StaffClient:
    """One member of staff, logged in. Answers are httpx's; a redirect is followed."""

    def __init__(self, app: FastAPI, email: str, password: str = PASSWORD) -> None:
        self.http = TestClient(app, base_url="http://localhost", follow_redirects=True)
        self.http.headers["Accept"] = "text/html"
        self.csrf = ""
        self.log_in(email, password)

    def log_in(self, email: str, password: str) -> None:
        fields = {"email": email, "password": password, "next": "/console/account"}
        answer = self.http.post("/console/login", data=fields)
        assert answer.status_code == 200, answer.text
        self._remember(answer)
        assert self.csrf, "not logged in"

    def get(self, path: str, **query: Any) -> httpx.Response:
        """A page, whatever its status."""
        # Empty parameters would take away those of the path.
        return self._remember(self.http.get(path, params=query or None))

    def page(self, path: str, **query: Any) -> str:
        """The HTML of a page that must be there."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        return answer.text

    def text(self, path: str, **query: Any) -> str:
        """What is to be read on a page, without its tags, in one line."""
        return readable(self.page(path, **query))

    def post(self, path: str, **fields: Any) -> httpx.Response:
        """Sends a form as a page of ours would, with its token."""
        return self._remember(self.http.post(path, data={"csrf": self.csrf, **fields}))

    def _remember(self, answer: httpx.Response) -> httpx.Response:
        found = re.search(r'<meta name="csrf" content="([0-9a-f]{64})">', answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer


def readable(html: str) -> str:
    body = html.partition("<body")[2].partition(">")[2] or html
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())
