"""DKIM (RFC 6376, RFC 8463): a signature that shows that a mail is from the shop's own domain, unchanged."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path

import dkim
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings

# RFC 8301: nobody has to believe a shorter key.
SHORTEST_RSA = 1024
GOOD_RSA = 2048
# What the reader sees, and what their mail program acts on: RFC 8058 wants both of the last two signed.
SIGNED = (
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Language",
    "Auto-Submitted",
    "Precedence",
    "List-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
# Signed once more than there are: nobody can add another.
ONLY_ONE = ("From", "To", "Subject", "Date", "List-Unsubscribe", "List-Unsubscribe-Post")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Key:
    """A domain's key: `private` as dkimpy takes it, `record` what the DNS must hold at `name`."""

    domain: str
    selector: str
    algorithm: str
    private: bytes
    bits: int
    record: str

    @property
    def name(self) -> str:
        """The name of the TXT record."""
        return f"{self.selector}._domainkey.{self.domain}"


def make(settings: Settings) -> Callable[[bytes], bytes] | None:
    """What signs a mail as it goes over the wire (lines end with CR LF); None when that is not set up.

    Raises ConfigurationError.
    """
    key = load(settings)
    return None if key is None else lambda raw: sign(key, raw)


def sign(key: Key, raw: bytes) -> bytes:
    """The mail with its signature before it."""
    present = {line.partition(b":")[0].lower() for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")}
    names = [name.lower().encode() for name in SIGNED if name.lower().encode() in present]
    names += [name.lower().encode() for name in ONLY_ONE]
    signature: bytes = dkim.sign(
        raw,
        key.selector.encode(),
        key.domain.encode(),
        key.private,
        canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=key.algorithm.encode(),
        include_headers=names,
    )
    return signature + raw


def load(settings: Settings) -> Key | None:
    """The key of the settings, None when they name none. Raises ConfigurationError."""
    given = (settings.dkim_domain, settings.dkim_selector, settings.dkim_key_file)
    if not any(given):
        return None
    if not all(given):
        raise ConfigurationError(
            "Mails are signed with RAPPORT_DKIM_DOMAIN, RAPPORT_DKIM_SELECTOR and RAPPORT_DKIM_KEY_FILE:"
            " set all three or none."
        )
    domain, selector = settings.dkim_domain, settings.dkim_selector
    for name, value in (("DOMAIN", domain), ("SELECTOR", selector)):
        if not _NAME.fullmatch(value):
            raise ConfigurationError(f"RAPPORT_DKIM_{name} is no name in the DNS.")
    return _read(Path(settings.dkim_key_file), domain.lower(), selector)


def is_aligned(key: Key, mail_from: str) -> bool:
    """Whether the signature is by the domain that readers see (DMARC, RFC 7489: or by one above it)."""
    domain = parseaddr(mail_from)[1].rpartition("@")[2].lower()
    return domain == key.domain or domain.endswith(f".{key.domain}")


def _read(path: Path, domain: str, selector: str) -> Key:
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ConfigurationError(f"RAPPORT_DKIM_KEY_FILE cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):  # no PEM; encrypted; a kind nobody knows
        raise ConfigurationError(
            "RAPPORT_DKIM_KEY_FILE holds no private key without a password, as PEM."
        ) from None
    if isinstance(private, ed25519.Ed25519PrivateKey):
        seed, public = private.private_bytes_raw(), private.public_key().public_bytes_raw()
        record = f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"
        return Key(domain, selector, "ed25519-sha256", base64.b64encode(seed), 256, record)
    if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < SHORTEST_RSA:
        raise ConfigurationError(
            f"RAPPORT_DKIM_KEY_FILE must hold an RSA key of at least {SHORTEST_RSA} bits, or an Ed25519 key."
        )
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    return Key(domain, selector, "rsa-sha256", pem, private.key_size, record)
