"""Making sure who someone is: a one-time code mailed to their address, or a token signed by the host site.

Verification belongs to the conversation and expires. Nothing here lets a caller learn whether an address is
known: an unknown one takes the same way through the same writes, and its code simply never matches.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import jwt
from sqlalchemy.orm import Session

from rapport.channels import links
from rapport.channels import repository as channels_repository
from rapport.channels.outbound import WEB
from rapport.conversations.models import Conversation
from rapport.customers import lifecycle, repository, rules
from rapport.customers.models import Customer, Identity, Verification
from rapport.kit import clock, tokens
from rapport.kit.errors import InvalidInputError, UnauthorizedError
from rapport.kit.settings import MINIMUM_SECRET_LENGTH, get_settings
from rapport.kit.upsert import add_once
from rapport.outreach import compose
from rapport.outreach import service as outreach

MAIL_PURPOSE = "verification_code"

Requested = Literal["sent", "too_many"]
Checked = Literal["verified", "wrong", "expired", "too_many"]


def current_customer_id(conversation: Conversation) -> int | None:
    """Whom this conversation is verified for right now."""
    until = conversation.verified_until
    return conversation.customer_id if until is not None and until > clock.now() else None


def end(session: Session, conversation: Conversation) -> None:
    """Whoever it was verified for has to show it again."""
    repository.unverify(session, conversation.id)
    session.refresh(conversation, ["verified_until"])


def request_code(session: Session, conversation: Conversation, address: str, message_key: str) -> Requested:
    """Mail a new code to an address; it takes the place of an earlier one.

    Repeating it with the same `message_key` sends nothing more. Raises InvalidInputError when `address` is no
    e-mail address.
    """
    email = rules.normalise_email(address)
    if email is None:
        raise InvalidInputError("That is not an e-mail address.")
    address_hash = _hash("address", email)
    repository.lock_codes_of(session, conversation, address_hash)
    if repository.find_verification(session, message_key):
        return "sent"
    now = clock.now()
    if _too_many(session, conversation, address_hash, now):
        return "too_many"
    earlier = repository.newest_verification(session, conversation.id)
    if earlier is not None:
        outreach.cancel(session, _mail_key(earlier.message_key))
    identity = repository.find_identity(session, "email", email)
    code = tokens.new_code()
    session.add(
        Verification(
            conversation_id=conversation.id,
            message_key=message_key,
            address_hash=address_hash,
            customer_id=identity.customer_id if identity else None,
            identity_id=identity.id if identity else None,
            code_hash=_hash("code", f"{message_key}:{code}"),
            created_at=now,
            expires_at=now + rules.CODE_LIFE,
        )
    )
    session.flush()
    minutes = int(rules.CODE_LIFE.total_seconds() // 60)
    mail = compose.compose(MAIL_PURPOSE, conversation.language, code=code, minutes=minutes)
    outreach.enqueue(
        session,
        key=_mail_key(message_key),
        purpose=MAIL_PURPOSE,
        customer_id=identity.customer_id if identity else None,
        # Strangers get no mail: we would be a way to send mail to anyone.
        recipient=email if identity else None,
        subject=mail.subject,
        text=mail.text,
        language=conversation.language,
        not_before=now + rules.MAIL_AFTER,
        expires_at=now + rules.CODE_LIFE,
    )
    return "sent"


def check_code(session: Session, conversation: Conversation, code: str, message_key: str) -> Checked:
    """Compare a typed code with the newest one of this conversation; each comparison uses up a try.

    The wrong guess that uses up the last try is already `too_many`: no further guess at this code can
    succeed. Repeating it with the same `message_key` gives the same result and uses up nothing.
    """
    repeated = repository.find_try(session, conversation.id, message_key)
    if repeated is not None:
        return _as_checked(repeated.last_try_result)
    verification = repository.newest_verification(session, conversation.id)
    if verification is None:
        return "expired"
    result = _try(session, conversation, verification, rules.normalise_code(code))
    verification.last_try_key = message_key
    verification.last_try_result = result
    session.flush()
    return result


def verify_with_token(session: Session, conversation: Conversation, token: str) -> int:
    """Verify the conversation with a token of the host site; returns the customer's id.

    Raises UnauthorizedError.
    """
    customer_id = customer_of_token(session, token)
    _mark_verified(session, conversation, customer_id)
    return customer_id


def customer_of_token(session: Session, token: str) -> int:
    """The customer named by a JWT (HS256) of the host site, at which they are logged in.

    The claims: `exp` and `email`, both required, and `name` if known. Someone we do not know yet becomes a
    customer: the host site vouches for them. Raises UnauthorizedError.
    """
    secret = get_settings().identity_secret
    # An empty or short key is one that anybody could sign with.
    if secret is None or len(secret.get_secret_value()) < MINIMUM_SECRET_LENGTH:
        raise UnauthorizedError("Identity tokens are not set up here (RAPPORT_IDENTITY_SECRET).")
    try:
        claims = jwt.decode(
            token, secret.get_secret_value(), algorithms=["HS256"], options={"require": ["exp", "email"]}
        )
    except (jwt.PyJWTError, ValueError):  # ValueError when it is no text that can be encoded
        raise UnauthorizedError("The identity token is not valid or has expired.") from None
    email = rules.normalise_email(claims["email"]) if isinstance(claims["email"], str) else None
    if email is None:
        raise UnauthorizedError("The identity token names no e-mail address.")
    identity = repository.find_identity(session, "email", email) or _new_customer(
        session, email, claims.get("name")
    )
    identity.verified_at = identity.verified_at or clock.now()
    return identity.customer_id


def _new_customer(session: Session, email: str, name: object) -> Identity:
    # JSON can carry NUL and halves of surrogate pairs, a database cannot.
    text = name.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(name, str) else None
    customer = Customer(name=text[:200] if text else None)
    identity = Identity(customer=customer, kind="email", value=email)
    if add_once(session, identity):
        return identity
    found = repository.find_identity(session, "email", email)
    assert found is not None  # somebody else was faster
    return found


def _too_many(session: Session, conversation: Conversation, address_hash: str, now: datetime) -> bool:
    limit, period = rules.CODES_PER_CONVERSATION
    in_conversation = repository.count_codes_in_conversation(session, conversation.id, now - period)
    address_limit, address_period = rules.CODES_PER_ADDRESS
    to_address = repository.count_codes_to_address(session, address_hash, now - address_period)
    return (
        in_conversation >= limit
        or to_address >= address_limit
        or _client_asks_too_much(session, conversation, now)
    )


def _client_asks_too_much(session: Session, conversation: Conversation, now: datetime) -> bool:
    if conversation.client_hash is None:
        return False
    limit, period = rules.CODES_PER_CLIENT
    if repository.count_codes_for_client(session, conversation.client_hash, now - period) >= limit:
        return True
    if conversation.channel == WEB:
        return False
    # By mail another name, and another domain, costs nothing.
    limit, period = rules.CODES_PER_OPEN_CHANNEL
    return repository.count_codes_on_channel(session, conversation.channel, now - period) >= limit


def _try(session: Session, conversation: Conversation, verification: Verification, code: str) -> Checked:
    now = clock.now()
    if len(code) != rules.CODE_LENGTH:
        return "wrong"  # a slip that could not have been a guess uses up no try
    if verification.used_at is not None or verification.expires_at <= now:
        return "expired"
    if not repository.take_try(session, verification, now, rules.MAX_TRIES):
        return "too_many"
    right = tokens.same(_hash("code", f"{verification.message_key}:{code}"), verification.code_hash)
    if right and verification.customer_id is not None and repository.use_code(session, verification, now):
        if verification.identity_id is not None:
            identity = session.get_one(Identity, verification.identity_id)
            identity.verified_at = now
            outreach.reachable_again(session, identity.value)
        _join(session, conversation, verification.customer_id)
        _mark_verified(session, conversation, verification.customer_id)
        if repository.unproven_waits(session, conversation.id):
            # Somebody else may have sent what is answered next: it must not profit from this code.
            end(session, conversation)
        return "verified"
    return "wrong" if verification.tries < rules.MAX_TRIES else "too_many"


def _join(session: Session, conversation: Conversation, customer_id: int) -> None:
    """In a messaging app a code shows once and for all who this is, if that can be."""
    if conversation.channel == WEB:
        return
    point = channels_repository.locked_contact_of(session, conversation.id)
    if point is not None:
        links.joined(session, point, customer_id, "code")


def _mark_verified(session: Session, conversation: Conversation, customer_id: int) -> None:
    conversation.customer_id = customer_id
    conversation.verified_until = clock.now() + rules.VERIFIED_FOR
    session.flush()
    if repository.move_interests(session, conversation.id, customer_id):
        repository.set_stage(session, customer_id, lifecycle.after("interest_stated"))


def _hash(purpose: str, value: str) -> str:
    key = get_settings().secret_key.get_secret_value()
    return tokens.keyed_hash(key, f"verification-{purpose}", value)


def _mail_key(message_key: str) -> str:
    return f"{MAIL_PURPOSE}:{message_key}"


def _as_checked(result: str | None) -> Checked:
    match result:
        case "verified" | "wrong" | "too_many":
            return result
        case _:
            return "expired"
