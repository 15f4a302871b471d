"""Accounts of staff, their logins, and the record of what they looked at and changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.orm import Session

from rapport.kit import clock, languages, tokens
from rapport.kit.errors import ConflictError, NotFoundError, TooManyRequestsError, UnauthorizedError
from rapport.kit.locks import one_at_a_time
from rapport.staff import repository, rules
from rapport.staff.models import AuditEvent, Staff, StaffSession

WRONG = "The address or the password is wrong."

# The lock that keeps two from making the first account, or one address from getting two.
ACCOUNTS = "staff accounts"
HASHES_AT_ONCE = 4
LONGEST_WAIT_SECONDS = 5

_hasher = PasswordHasher()
_hashing = threading.BoundedSemaphore(HASHES_AT_ONCE)


@cache
def _nobodys_hash() -> str:
    """Checked when nobody has the address, so that an answer takes as long either way."""
    return _hasher.hash(tokens.new_token())


def create(
    session: Session, email: str, name: str, role: str, password: str | None = None, language: str = "en"
) -> Staff:
    """A new account. Raises InvalidInputError, and ConflictError when the address has one."""
    email, name, role = rules.checked_email(email), rules.checked_name(name), rules.checked_role(role)
    one_at_a_time(session, ACCOUNTS)
    if repository.by_email(session, email) is not None:
        raise ConflictError(rules.TAKEN)
    staff = Staff(
        email=email,
        name=name,
        role=role,
        language=languages.normalise(language) or languages.DEFAULT_LANGUAGE,
        password_hash=hashed(password, email, name) if password is not None else None,
    )
    session.add(staff)
    session.flush()
    return staff


def get(session: Session, staff_id: int) -> Staff:
    """Raises NotFoundError."""
    staff = session.get(Staff, staff_id)
    if staff is None:
        raise NotFoundError("There is no such account.")
    return staff


def known_as(session: Session, email: str) -> Staff | None:
    """Whose address that is, as people type it."""
    # PostgreSQL knows no NUL.
    return repository.by_email(session, email.replace("\0", "").strip().lower())


def verify(staff: Staff | None, password: str) -> Staff:
    """The account if that is its password; raises UnauthorizedError, the same and after the same time
    whatever is wrong. Takes some 50 ms on purpose: do it while no transaction is open.
    """
    nobodys = _nobodys_hash()  # also for those who are known, as the first time takes longer
    known = staff.password_hash if staff else None
    try:
        with _one_of_few():
            _hasher.verify(known or nobodys, password[: rules.LONGEST_PASSWORD + 1])
    except VerificationError:
        raise UnauthorizedError(WRONG) from None
    if staff is None or known is None or staff.disabled_at is not None:
        raise UnauthorizedError(WRONG)
    return staff


def unchanged(session: Session, seen: Staff, password: str) -> Staff:
    """The account whose password was verified, if nobody has switched it off or changed it meanwhile; kept by
    today's settings of the hash. Raises UnauthorizedError.
    """
    staff = session.get(Staff, seen.id)
    if staff is None or staff.disabled_at is not None or staff.password_hash != seen.password_hash:
        raise UnauthorizedError(WRONG)
    if staff.password_hash is not None and _hasher.check_needs_rehash(staff.password_hash):
        staff.password_hash = _hasher.hash(password)
    return staff


def hashed(password: str, email: str, name: str) -> str:
    """A new password as it is kept; raises InvalidInputError. As slow as `verify`."""
    password = rules.checked_password(password, email, name)
    with _one_of_few():
        return _hasher.hash(password)


def set_password(session: Session, staff: Staff, password_hash: str) -> None:
    """A new password; every browser is logged out, and links to choose one are worth nothing."""
    staff.password_hash = password_hash
    staff.link_serial += 1
    repository.forget_logins(session, staff.id)
    session.flush()


@contextmanager
def _one_of_few() -> Iterator[None]:
    """Each hash takes 64 MiB: many at once would fill the memory. Raises TooManyRequestsError."""
    if not _hashing.acquire(timeout=LONGEST_WAIT_SECONDS):
        raise TooManyRequestsError("Too many log in at once. Try again.", LONGEST_WAIT_SECONDS)
    try:
        yield
    finally:
        _hashing.release()


def log_in(session: Session, secret: str, staff: Staff) -> str:
    """Begins a login; the cookie's value, always a new one."""
    now = clock.now()
    repository.forget_old_logins(session, now - rules.LONGEST_SESSION, now - rules.IDLE)
    token = tokens.new_token()
    session.add(StaffSession(token_hash=_hash(secret, token), staff_id=staff.id, created_at=now, seen_at=now))
    staff.last_login_at = now
    note(session, staff.id, "log in", "staff", staff.id)
    session.flush()
    return token


def logged_in(session: Session, secret: str, token: str) -> tuple[Staff, bool]:
    """(whose cookie it is, whether `seen` should be told). Raises UnauthorizedError."""
    found = repository.login(session, _hash(secret, token))
    now = clock.now()
    if found is None or rules.is_over(found[1].created_at, found[1].seen_at, now) or found[0].disabled_at:
        raise UnauthorizedError("You are not logged in.")
    return found[0], now - found[1].seen_at > rules.SEEN_EXACT_TO


def seen(session: Session, secret: str, token: str) -> None:
    """The browser is still in use."""
    repository.touch(session, _hash(secret, token), clock.now())


def log_out(session: Session, secret: str, token: str) -> None:
    """Ends this browser's login."""
    repository.forget_login(session, _hash(secret, token))


def note(
    session: Session,
    staff_id: int | None,
    action: str,
    subject: str | None = None,
    subject_id: object = None,
    **details: Any,
) -> None:
    """Keeps in the audit log who looked at or changed what; `details` must hold no words of customers."""
    session.add(
        AuditEvent(
            staff_id=staff_id,
            action=action,
            subject=subject,
            subject_id=None if subject_id is None else str(subject_id),
            details=details,
            at=clock.now(),
        )
    )


def _hash(secret: str, token: str) -> str:
    return tokens.keyed_hash(secret, "staff session", token)
