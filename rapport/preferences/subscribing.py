"""Subscribing with a double yes: one on a form that anybody can fill in, one from the mailbox itself.

Nothing is granted by the first, and nobody is told whether an address is known: the mail, the words and the
work are the same either way.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.customers import choices
from rapport.customers import repository as customers
from rapport.customers.choices import Said
from rapport.customers.mailboxes import mailbox
from rapport.customers.models import Customer, Identity
from rapport.customers.rules import MAIL_AFTER, NEWSLETTER, PURPOSES, normalise_email
from rapport.kit import clock, tokens
from rapport.kit.database import session_scope
from rapport.kit.errors import InvalidInputError, TooManyRequestsError
from rapport.kit.format import listed
from rapport.kit.locks import one_at_a_time
from rapport.kit.settings import get_settings
from rapport.kit.upsert import add_once
from rapport.outreach import compose
from rapport.outreach import service as outreach
from rapport.preferences import links, repository, rules, texts
from rapport.preferences.links import Link
from rapport.preferences.models import Subscription

log = logging.getLogger(__name__)

MAIL_PURPOSE = "subscription"
CHANNEL = "email"

Confirmed = Literal["confirmed", "already", "gone"]


def request(
    session: Session,
    address: str,
    language: str,
    *,
    source: str,
    client: str,
    purposes: Collection[str] = (NEWSLETTER,),
    limited: bool = True,
    strangers_only: bool = False,
) -> None:
    """Mail somebody the question whether it was they who want this at this address.

    `client` is where on the network they are, `source` the form. Who was asked a moment ago, or often today,
    is not asked again. `limited`: a client may ask for so much in an hour only. `strangers_only`: an address
    that is somebody's gets no mail, at the same cost, as it got another one. Raises InvalidInputError for
    what is no address or purpose, and TooManyRequestsError when this client asks for too much.
    """
    email = normalise_email(address)
    if email is None:
        raise InvalidInputError("That is not an e-mail address.")
    wanted = [purpose for purpose in PURPOSES if purpose in purposes]
    if not wanted or len(wanted) < len(set(purposes)):
        raise InvalidInputError(f"Choose some of {', '.join(PURPOSES)}.")
    now = clock.now()
    mailbox_hash, client_hash = _hash("mailbox", mailbox(email)), _hash("client", client)
    one_at_a_time(session, f"subscription:{mailbox_hash}")
    if limited:
        _check_client(session, client_hash, now)
    known = repository.newest(session, mailbox_hash)
    if known is not None and not rules.may_ask_again(known.sent, known.requested_at, now):
        # The page they are asked on by then names this as well. Nobody elsewhere adds to what somebody agrees
        # to, perhaps while they look at that page.
        if known.address == email and known.client_hash == client_hash:
            known.purposes = [purpose for purpose in PURPOSES if purpose in {*known.purposes, *wanted}]
        return
    asked_before = known is not None and now - known.requested_at < rules.MAILS_PER_MAILBOX[1]
    subscription = Subscription(
        address=email,
        mailbox_hash=mailbox_hash,
        client_hash=client_hash,
        purposes=wanted,
        language=language,
        wording_version=rules.WORDING,
        source=source,
        requested_at=now,
        sent=known.sent + 1 if known is not None and asked_before else 1,
    )
    repository.add(session, subscription)
    known_to_us = customers.find_identity(session, "email", email) is not None
    _ask(session, subscription, None if strangers_only and known_to_us else email)


def find(session: Session, link: Link) -> Subscription | None:
    """The subscription a link is about, None when there is none any more."""
    if link.kind != "confirm" or link.expires_at <= clock.now():
        return None
    found = repository.get(session, link.subject_id)
    # A number may have been given again, to somebody else.
    return found if found is not None and found.requested_at <= link.made_at + _SECOND else None


def confirm(session: Session, link: Link, client: str) -> tuple[Confirmed, int | None]:
    """Somebody who reads that mailbox says yes: they are subscribed, and the address is theirs.

    It is the customer's who has the address, else a new prospect's; returns what came of it, and whose it is.
    """
    subscription = find(session, link)
    if subscription is None:
        return "gone", None
    now = clock.now()
    if not repository.confirm(session, subscription.id, now):
        session.refresh(subscription)
        return "already", subscription.customer_id
    assert subscription.address is not None
    identity = _owner(session, subscription.address, subscription.language)
    identity.verified_at = identity.verified_at or now
    outreach.reachable_again(session, identity.value)
    customer_id = identity.customer_id
    proof = {
        "requested_at": subscription.requested_at.isoformat(),
        "requested_from": subscription.client_hash,
        "confirmed_at": now.isoformat(),
        "confirmed_from": _hash("client", client),
    }
    said = Said(f"subscribe:{subscription.source}", subscription.wording_version, proof)
    choices.agree(session, customer_id, [(purpose, CHANNEL) for purpose in subscription.purposes], said)
    subscription.customer_id, subscription.address = customer_id, None
    session.flush()
    return "confirmed", customer_id


def forget(engine: Engine) -> str:
    """Drop what nobody confirmed in time, and what was confirmed as long ago: consents hold their proof."""
    with session_scope(engine) as session:
        before = clock.now() - links.LIFE["confirm"] - timedelta(hours=1)
        return f"{repository.delete_requested_before(session, before)} old subscriptions"


_SECOND = timedelta(seconds=1)


def _ask(session: Session, subscription: Subscription, recipient: str | None) -> None:
    language = subscription.language
    what = listed([texts.purpose(name, language) for name in subscription.purposes], language)
    life = links.LIFE["confirm"]
    link = links.confirm_url(get_settings(), subscription.id, language)
    mail = compose.compose(MAIL_PURPOSE, language, what=what, link=link, days=life.days)
    outreach.enqueue(
        session,
        # A number may have been given before, to one that is forgotten by now.
        key=f"{MAIL_PURPOSE}:{subscription.id}:{int(subscription.requested_at.timestamp())}",
        purpose=MAIL_PURPOSE,
        recipient=recipient,
        subject=mail.subject,
        text=mail.text,
        language=language,
        not_before=subscription.requested_at + MAIL_AFTER,
        expires_at=subscription.requested_at + life,
    )


def _check_client(session: Session, client_hash: str, now: datetime) -> None:
    limit, period = rules.REQUESTS_PER_CLIENT
    if repository.count_of_client(session, client_hash, now - period) >= limit:
        raise TooManyRequestsError("That was a lot at once. Try again later.", int(period.total_seconds()))


def _owner(session: Session, address: str, language: str) -> Identity:
    """The customer's who has the address, made when nobody has it."""
    found = customers.find_identity(session, "email", address)
    if found is None:
        customer = Customer(language=language)
        session.add(customer)
        session.flush()
        new = Identity(customer_id=customer.id, kind="email", value=address)
        if add_once(session, new):
            return new
        session.delete(customer)  # somebody else was faster
        session.flush()
        found = customers.find_identity(session, "email", address)
        assert found is not None
    return found


def _hash(purpose: str, value: str) -> str:
    key = get_settings().secret_key.get_secret_value()
    return tokens.keyed_hash(key, f"subscription-{purpose}", value)
