"""Links that stand for somebody: in each message that nobody asked for, in the mail that asks for a yes, and
in what the bot answers to whom has shown who they are.

A token is 40 letters and digits: what it says (whose it is, what for, when it was made), sealed so that it
can neither be read nor changed, nor made for a customer one only guesses. It is built as RFC 5297 builds its
synthetic IV, from HMAC-SHA256 alone: the signature of what is said is also what hides it.
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from rapport.customers.rules import VERIFIED_FOR
from rapport.kit import clock, tokens
from rapport.kit.languages import DEFAULT_LANGUAGE, LANGUAGES
from rapport.kit.settings import Settings

Kind = Literal["preferences", "unsubscribe", "confirm", "chat"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PREFERENCES, UNSUBSCRIBE, CONFIRM = "/p", "/u", "/s"
# Who finds an old mail wants out of the list, so that link lasts; what shows a person's wishes does not.
LIFE: dict[Kind, timedelta] = {
    "preferences": timedelta(days=60),
    "unsubscribe": timedelta(days=2 * 365),
    "confirm": timedelta(days=7),
    # Who sits down at the same computer later finds the talk, and must find no more than that.
    "chat": VERIFIED_FOR,
}
LENGTH = 40
_TOKEN = re.compile(rf"[a-z2-7]{{{LENGTH}}}")
# What for and which language, whose, when: 9 bytes, and 16 of signature make 40 characters without a rest.
_SAID = struct.Struct(">BII")
_SIGNATURE_DIGITS = 32


@dataclass(frozen=True)
class Link:
    """What a token says. `subject_id`: the customer's, or of a link to confirm the subscription's.

    `id` names the link where it is written down; nobody can make the token of it.
    """

    kind: Kind
    subject_id: int
    language: str
    made_at: datetime
    id: str

    @property
    def expires_at(self) -> datetime:
        """From when on it is not taken any more."""
        return self.made_at + LIFE[self.kind]


def preferences_url(settings: Settings, customer_id: int, language: str) -> str:
    """Where this customer chooses what they hear from us; good for 60 days."""
    return f"{settings.base_url}{PREFERENCES}/{make(settings, 'preferences', customer_id, language)}"


def no_ones_url(settings: Settings) -> str:
    """What stands for it in words that wait: who else reads them cannot choose for the customer."""
    return f"{settings.base_url}{PREFERENCES}/…"


def with_own_url(settings: Settings, text: str, customer_id: int, language: str) -> str:
    """The words as they leave: with the customer's link instead of nobody's."""
    return text.replace(no_ones_url(settings), preferences_url(settings, customer_id, language))


def chat_url(settings: Settings, customer_id: int, language: str) -> str:
    """The same page for who is talking to us; good for as long as it is known who that is, an hour."""
    return f"{settings.base_url}{PREFERENCES}/{make(settings, 'chat', customer_id, language)}"


def unsubscribe_url(settings: Settings, customer_id: int, language: str) -> str:
    """Where this customer leaves, also by a mail program's own button (RFC 8058); good for two years."""
    return f"{settings.base_url}{UNSUBSCRIBE}/{make(settings, 'unsubscribe', customer_id, language)}"


def confirm_url(settings: Settings, subscription_id: int, language: str) -> str:
    """Where somebody says that it was they who subscribed; good for 7 days."""
    return f"{settings.base_url}{CONFIRM}/{make(settings, 'confirm', subscription_id, language)}"


def make(
    settings: Settings, kind: Kind, subject_id: int, language: str, made_at: datetime | None = None
) -> str:
    """A token for this customer or subscription, made now unless it says otherwise."""
    spoken = language if language in LANGUAGES else DEFAULT_LANGUAGE
    what = KINDS.index(kind) << 4 | LANGUAGES.index(spoken)
    said = _SAID.pack(what, subject_id, int((made_at or clock.now()).timestamp()))
    key = settings.secret_key.get_secret_value()
    signature = _signature(key, said)
    sealed = _hidden(key, signature, said) + bytes.fromhex(signature)
    return base64.b32encode(sealed).decode().lower()


def read(settings: Settings, token: str) -> Link | None:
    """What a token of ours says, however old it is (compare `expires_at`); None for any other."""
    token = token.lower()
    if not _TOKEN.fullmatch(token):
        return None
    key = settings.secret_key.get_secret_value()
    sealed = base64.b32decode(token.upper())
    signature = sealed[_SAID.size :].hex()
    said = _hidden(key, signature, sealed[: _SAID.size])
    if not tokens.same(_signature(key, said), signature):
        return None
    what, subject_id, made = _SAID.unpack(said)
    return Link(
        kind=KINDS[what >> 4],
        subject_id=subject_id,
        language=LANGUAGES[what & 0xF],
        made_at=datetime.fromtimestamp(made, UTC),
        id=tokens.keyed_hash(key, "contact-link-id", token)[:16],
    )


def _signature(key: str, said: bytes) -> str:
    return tokens.keyed_hash(key, "contact-link", said.hex())[:_SIGNATURE_DIGITS]


def _hidden(key: str, signature: str, said: bytes) -> bytes:
    """Hides what is said, and shows again what was hidden."""
    pad = bytes.fromhex(tokens.keyed_hash(key, "contact-link-pad", signature))
    return bytes(one ^ other for one, other in zip(said, pad, strict=False))
