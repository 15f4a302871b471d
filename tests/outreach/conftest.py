"""A mail server with TLS and a login, and the mailer that speaks to it."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from rapport.outreach.smtp import SmtpMailer
from tests.outreach.server import PASSWORD, USER, Server, authenticate
from tests.ports import free_port


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*request.split(), *names, *files], check=True, capture_output=True)
    return folder


@pytest.fixture
def smtp(certificate: Path) -> Iterator[tuple[Server, Controller]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server = Server()
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    yield server, controller
    controller.stop()


@pytest.fixture
def make_smtp_mailer(smtp: tuple[Server, Controller], certificate: Path) -> Callable[..., SmtpMailer]:
    """A mailer for that server, with what else it is to do."""
    context = ssl.create_default_context(cafile=certificate / "cert.pem")

    def make(**options: Any) -> SmtpMailer:
        return SmtpMailer("localhost", smtp[1].port, "starttls", USER, PASSWORD, context, **options)

    return make


@pytest.fixture
def smtp_mailer(make_smtp_mailer: Callable[..., SmtpMailer]) -> SmtpMailer:
    return make_smtp_mailer()
