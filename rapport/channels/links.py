"""Links from the website into a messaging app: who follows one is there whom they were logged in as here.

And what joins a person in a messaging app with the customer they have shown to be.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Collection
from datetime import timedelta
from functools import cache
from pathlib import Path

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.channels import notices, repository
from rapport.channels.models import ChannelLink, ContactPoint, Delivery
from rapport.customers import merging
from rapport.customers import repository as customers
from rapport.customers.rules import VERIFIED_FOR
from rapport.kit import clock, tokens
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.kit.settings import get_settings

LIFE = timedelta(minutes=15)
# Who did not write for so long shows once more who they are: a phone number may have another owner by then.
LASTS = timedelta(days=90)
LENGTH = 32
ALPHABET = string.ascii_letters + string.digits
WORDS = Path(__file__).parent / "link_words.yml"


def text_with(token: str, language: str) -> str:
    """What a customer is given to send where a link can only bring a text along."""
    return _words()[language].format(token=token)


def token_in(text: str) -> str | None:
    """The token in a text that somebody was given to send, in any language; None in any other text.

    They may have written something around it.
    """
    found = _given().search(" ".join(text.split()))
    return next(token for token in found.groups() if token) if found else None


@cache
def _words() -> dict[str, str]:
    words: dict[str, str] = yaml.safe_load(WORDS.read_text("utf-8"))["text"]
    return words


@cache
def _given() -> re.Pattern[str]:
    token = f"([A-Za-z0-9]{{{LENGTH}}})(?![A-Za-z0-9])"
    texts = (re.escape(words).replace(re.escape("{token}"), token) for words in _words().values())
    return re.compile("|".join(texts), re.IGNORECASE)


def create(session: Session, channel: str, customer_id: int) -> str:
    """A token that stands for the customer on a channel: 32 letters and digits, good once, for a while."""
    repository.drop_old_links(session, customer_id, clock.now())
    token = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    session.add(
        ChannelLink(
            token_hash=_hash(token),
            channel=channel,
            customer_id=customer_id,
            expires_at=clock.now() + LIFE,
        )
    )
    session.flush()
    return token


def follow(session: Session, point: ContactPoint, token: str) -> str:
    """Join whoever brings the token with its customer; returns the notice that answers them."""
    found = repository.link(session, _hash(token))
    if found is None or found.channel != point.channel:
        return notices.LINK_EXPIRED
    if not repository.use_link(session, found.id, clock.now()):
        return notices.LINK_EXPIRED
    # What they get to see is no more than before: somebody else may have sent them that link.
    return notices.LINKED if joined(session, point, found.customer_id, "link") else notices.LINK_REFUSED


def joined(session: Session, point: ContactPoint, customer_id: int, why: str) -> bool:
    """The person at this contact point, which is locked, has shown to be this customer; False when that
    changes nothing.

    Who was only a prospect is merged into the customer. Somebody who is a customer already stays who they
    are: two customers are never merged by a claim. And where anybody can write in another's name (mail, SMS)
    nobody is merged: a code shows whose the account is, not whose the address is that it was sent from.
    """
    if point.customer_id != customer_id:
        if not customers.has_proven(session, point.customer_id, point.channel):
            return False
        try:
            merging.merge(session, point.customer_id, customer_id, why)
        except (InvalidInputError, ConflictError):
            return False
    point.linked_at = point.linked_at or clock.now()
    conversation = repository.conversation(session, point.conversation_id)
    conversation.customer_id = customer_id
    conversation.verified_until = clock.now() + VERIFIED_FOR
    session.flush()
    return True


def answers_ours(session: Session, conversation_id: str, ids: Collection[str]) -> bool:
    """Whether one of these is the provider's id of something we sent in this conversation.

    Nobody can guess such an id of a mail, so whoever names one reads what comes to that address.
    """
    ours = select(Delivery.id).where(
        Delivery.provider_id.in_(ids), Delivery.conversation_id == conversation_id
    )
    return bool(ids) and session.scalar(ours.limit(1)) is not None


def _hash(token: str) -> str:
    return tokens.keyed_hash(get_settings().secret_key.get_secret_value(), "channel-link", token)
