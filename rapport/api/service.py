"""Keys of the shop's programs, whom a request means, and giving the same answer twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.api import repository, rules
from rapport.api.models import ApiKey
from rapport.connectors.events import SOURCE
from rapport.customers import repository as customers
from rapport.customers.rules import normalise_email
from rapport.kit import clock, tokens
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError, UnauthorizedError

WRONG_KEY = "Send a valid API key as `Authorization: Bearer …`."


@dataclass(frozen=True)
class Caller:
    """The program that asks."""

    key_id: int
    name: str
    scopes: frozenset[str]
    source: str
    last_used_at: datetime | None


def create_key(
    session: Session, secret: str, name: str, scopes: Sequence[str], source: str | None = None
) -> str:
    """A new key, which is shown this once. Raises ConflictError when the name is taken.

    `source` names the system whose orders it tells of, by default after the key.
    """
    unknown = set(scopes) - set(rules.SCOPES)
    if unknown or not scopes:
        raise InvalidInputError(f"A scope is one of {', '.join(rules.SCOPES)}.")
    source = rules.source_of(name) if source is None else source
    if not re.fullmatch(SOURCE[1:-1], source) or source in rules.RESERVED_SOURCES:
        raise InvalidInputError(
            "A source has 1 to 40 of a-z, 0-9, '.', '_' and '-', and is none of "
            f"{', '.join(sorted(rules.RESERVED_SOURCES))}. Say another with --source."
        )
    prefix = rules.new_prefix()
    key = f"{prefix}_{tokens.new_token()}"
    added = repository.add_key(
        session,
        name=name,
        prefix=prefix,
        key_hash=_hash(secret, key),
        scopes=sorted(set(scopes), key=rules.SCOPES.index),
        source=source,
        created_at=clock.now(),
    )
    if added is None:
        raise ConflictError(
            f"There is a key named {name} already, perhaps a revoked one. Choose another name."
        )
    return key


def keys(session: Session) -> Sequence[ApiKey]:
    """All keys, also revoked ones."""
    return repository.keys(session)


def revoke_key(session: Session, name: str) -> None:
    """Make a key useless for good. Raises NotFoundError when no key of that name is in use."""
    if not repository.revoke(session, name, clock.now()):
        raise NotFoundError(f"No key named {name} is in use. `rapport api-key list` shows them.")


def caller(session: Session, secret: str, presented: str) -> Caller:
    """Whose key it is. Raises UnauthorizedError in the same words and time whatever is wrong with it."""
    prefix = rules.prefix_of(presented)
    key = repository.key_by_prefix(session, prefix) if prefix else None
    right = tokens.same(_hash(secret, presented), key.key_hash if key else rules.NO_HASH)
    if key is None or not right or key.revoked_at is not None:
        raise UnauthorizedError(WRONG_KEY)
    return Caller(key.id, key.name, frozenset(key.scopes), key.source, key.last_used_at)


def note_use(session: Session, caller: Caller) -> None:
    """Remember that a key was used."""
    repository.note_use(session, caller.key_id, clock.now())


def customer_id(session: Session, text: str) -> int:
    """The customer that `id:12`, `email:…` or `<system>:<their id>` means. Raises NotFoundError."""
    ref = rules.parse_customer(text)
    found: int | None = None
    if ref.system == "id":
        known = customers.get_customer(session, int(ref.value)) if _is_id(ref.value) else None
        found = known.id if known else None
    elif ref.system == "email":
        address = normalise_email(ref.value)
        identity = customers.find_identity(session, "email", address) if address else None
        found = identity.customer_id if identity else None
    else:
        reference = customers.find_reference(session, ref.system, ref.value)
        found = reference.customer_id if reference else None
    if found is None:
        raise NotFoundError("customer: there is nobody by this reference.")
    return found


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _hash(secret: str, key: str) -> str:
    return tokens.keyed_hash(secret, "api-key", key)
