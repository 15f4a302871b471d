"""The development mail page: shows mails, executes nothing, and only on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from rapport.console import dev_mail
from rapport.kit import clock
from rapport.outreach.letter import build_mail
from rapport.outreach.mail import FolderMailer


@pytest.fixture
def mailer(tmp_path: Path) -> FolderMailer:
    return FolderMailer(tmp_path / "mail")


def get(
    mailer: FolderMailer, path: str, address: str = "127.0.0.1", host: str = "localhost"
) -> httpx.Response:
    app = FastAPI()
    app.include_router(dev_mail.router(mailer))
    transport = httpx.ASGITransport(app, client=(address, 1))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.get(path)

    return asyncio.run(ask())


def send(mailer: FolderMailer, number: int, subject: str, text: str, html: str | None = None) -> None:
    mailer.send(
        build_mail(
            sender="Fjordly <hello@fjordly.example>",
            recipient="ana@example.com",
            subject=subject,
            text=text,
            language="en",
            message_id=f"<{number}@fjordly.example>",
            at=clock.now(),
            html=html,
        )
    )


def test_it_shows_mails_as_text(mailer: FolderMailer) -> None:
    send(mailer, 1, "Your code <b>", "123456 <script>alert(1)</script> æøå")
    page = get(mailer, "/dev/mail")
    assert page.status_code == 200
    assert "123456 &lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "Your code &lt;b&gt;" in page.text
    assert "æøå" in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert get(mailer, "/dev/mail.css").headers["Content-Type"].startswith("text/css")


def test_it_says_that_there_are_none(mailer: FolderMailer) -> None:
    assert "Nothing has been sent yet" in get(mailer, "/dev/mail").text


@pytest.mark.parametrize(("address", "host"), [("192.168.1.5", "localhost"), ("127.0.0.1", "evil.example")])
def test_codes_are_not_for_the_neighbours(mailer: FolderMailer, address: str, host: str) -> None:
    send(mailer, 1, "Your code", "123456")
    refused = get(mailer, "/dev/mail", address, host)
    assert refused.status_code == 403
    assert "123456" not in refused.text


def test_html_is_shown_where_it_can_do_nothing(mailer: FolderMailer) -> None:
    send(mailer, 1, "News", "The words", "<p>The words</p><script>alert(1)</script>")
    page = get(mailer, "/dev/mail").text
    [stored] = mailer.list()
    assert "<pre>The words" in page and "alert(1)" not in page
    assert f'<iframe src="/dev/mail/{stored.name}" sandbox="allow-popups ' in page
    frame = get(mailer, f"/dev/mail/{stored.name}")
    assert frame.headers["Content-Type"].startswith("text/html")
    policy = frame.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy and "allow-same-origin" not in policy + page
    assert get(mailer, f"/dev/mail/{stored.name}", "192.168.1.5").status_code == 403
    send(mailer, 2, "Code", "123456")
    plain = next(mail.name for mail in mailer.list() if mail.subject == "Code")
    for name in (plain, "20260301-120005-0123456789abcdef.eml", "..%2fx"):
        assert get(mailer, f"/dev/mail/{name}").status_code == 404
