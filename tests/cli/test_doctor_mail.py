"""What the doctor says about signatures and about mail nobody asked for."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rapport.cli import doctor_mail
from rapport.kit.settings import Settings
from tests.outreach.test_smtp import with_key

REAL = {"smtp_host": "mail.fjordly.example"}
PUBLIC = {"public_url": "https://chat.fjordly.example"}


def test_it_prints_what_to_publish(settings: Settings, tmp_path: Path) -> None:
    private = rsa.generate_private_key(65537, 2048)
    found = doctor_mail.signatures(with_key(settings, tmp_path, private))
    assert found.state == "ok" and "rsa-sha256 (2048 bits) for fjordly.example" in found.detail
    name, strings = re.fullmatch(r"publish: (\S+) IN TXT (.+)", found.advice).groups()  # type: ignore[union-attr]
    assert name == "s1._domainkey.fjordly.example."
    pieces = re.findall(r'"([^"]*)"', strings)
    assert len(pieces) == 2 and max(map(len, pieces)) == 255
    version, kind, key = "".join(pieces).split("; ")
    assert (version, kind) == ("v=DKIM1", "k=rsa")
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert base64.b64decode(key.removeprefix("p=")) == public


def test_it_looks_at_the_key(settings: Settings, tmp_path: Path) -> None:
    assert doctor_mail.signatures(settings).state == "ok"
    assert doctor_mail.signatures(settings.model_copy(update=REAL)).state == "warning"
    short = with_key(settings, tmp_path, rsa.generate_private_key(65537, 1024))
    assert doctor_mail.signatures(short).state == "warning"
    other = short.model_copy(update={"mail_from": "Shop <hello@shop.example>"})
    assert "another domain" in doctor_mail.signatures(other).detail
    (tmp_path / "dkim.pem").unlink()
    gone = doctor_mail.signatures(short)
    assert gone.state == "wrong" and "RAPPORT_DKIM_KEY_FILE" in gone.detail and gone.advice


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, "ok"),
        (REAL, "wrong"),
        (REAL | {"public_url": "http://chat.fjordly.example"}, "wrong"),
        (REAL | PUBLIC, "warning"),
        (REAL | PUBLIC | {"imap_host": "mail.fjordly.example"}, "ok"),
    ],
)
def test_nothing_unasked_is_sent_that_nobody_could_leave(
    settings: Settings, values: dict[str, str], state: str
) -> None:
    found = doctor_mail.unasked(settings.model_copy(update=values))
    assert (found.state, bool(found.advice)) == (state, state != "ok")
