"""Codes and tokens: who gets in, who does not, and what nobody can find out. On both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation
from rapport.customers import rules, service
from rapport.customers.models import Customer, Identity, Verification
from rapport.customers.verification import (
    check_code,
    current_customer_id,
    request_code,
    verify_with_token,
)
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import InvalidInputError, UnauthorizedError
from rapport.kit.settings import Settings, get_settings
from rapport.outreach.models import OutboxMessage

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN, UNKNOWN = "ann@example.com", "nobody@example.com"

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(session: Session) -> Customer:
    return service.ensure_customer(session, identities=[("email", KNOWN)], name="Ann")


def talk(session: Session) -> Conversation:
    conversation = Conversation(channel="web", language="nb")
    session.add(conversation)
    session.flush()
    return conversation


def mailed_code(session: Session, key: str) -> str:
    text = session.scalars(
        select(OutboxMessage.text).where(OutboxMessage.key == f"verification_code:{key}")
    ).one()
    match = re.search(r"\b\d{6}\b", text or "")
    assert match
    return match.group()


def a_wrong_code(right: str) -> str:
    return f"{(int(right) + 1) % 1_000_000:06d}"


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def test_the_mailed_code_verifies_the_conversation(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    service.record_interest(session, conversation, "tents")
    assert request_code(session, conversation, " Ann@Example.COM", "m1") == "sent"
    assert current_customer_id(conversation) is None
    assert check_code(session, conversation, mailed_code(session, "m1"), "m2") == "verified"
    assert current_customer_id(conversation) == ann.id
    assert service.preferences(session, ann.id).interests == ("tents",)
    assert session.scalars(select(Identity)).one().verified_at == NOW
    with clock.freeze(NOW + rules.VERIFIED_FOR):
        assert current_customer_id(conversation) is None


def test_the_mail_speaks_the_conversations_language(session: Session, ann: Customer) -> None:
    request_code(session, talk(session), KNOWN, "m1")
    mail = session.scalars(select(OutboxMessage)).one()
    assert (mail.language, mail.recipient, mail.subject) == ("nb", KNOWN, "Koden din til Fjordly")
    assert mail.expires_at == NOW + timedelta(minutes=10)


def test_the_code_is_nowhere_stored_in_the_clear(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    request_code(session, conversation, KNOWN, "m1")
    code = mailed_code(session, "m1")
    row = session.scalars(select(Verification)).one()
    assert not any(code in str(value) or KNOWN in str(value) for value in vars(row).values())


def test_a_code_is_good_in_its_own_conversation_only(session: Session, ann: Customer) -> None:
    mine, other = talk(session), talk(session)
    request_code(session, mine, KNOWN, "m1")
    request_code(session, other, UNKNOWN, "o1")
    assert check_code(session, other, mailed_code(session, "m1"), "o2") == "wrong"
    assert check_code(session, talk(session), mailed_code(session, "m1"), "x1") == "expired"
    assert current_customer_id(other) is None


def test_a_code_expires(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    request_code(session, conversation, KNOWN, "m1")
    with clock.freeze(NOW + rules.CODE_LIFE):
        assert check_code(session, conversation, mailed_code(session, "m1"), "m2") == "expired"
    assert current_customer_id(conversation) is None


def test_a_code_is_good_once(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    request_code(session, conversation, KNOWN, "m1")
    code = mailed_code(session, "m1")
    assert check_code(session, conversation, code, "m2") == "verified"
    with clock.freeze(NOW + timedelta(minutes=5)):
        assert check_code(session, conversation, code, "m3") == "expired"
    assert conversation.verified_until == NOW + rules.VERIFIED_FOR


def test_a_new_code_voids_the_old_one_and_its_mail(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    request_code(session, conversation, KNOWN, "m1")
    old = mailed_code(session, "m1")
    request_code(session, conversation, KNOWN, "m2")
    mails = {
        mail.key[-2:]: mail.status
        for mail in session.scalars(select(OutboxMessage).execution_options(populate_existing=True))
    }
    assert mails == {"m1": "failed", "m2": "queued"}
    new = mailed_code(session, "m2")
    if old != new:
        assert check_code(session, conversation, old, "m3") == "wrong"
    assert check_code(session, conversation, new, "m4") == "verified"


def test_five_tries_and_no_more(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    request_code(session, conversation, KNOWN, "m1")
    right = mailed_code(session, "m1")
    wrong = a_wrong_code(right)
    results = [check_code(session, conversation, wrong, f"t{n}") for n in range(5)]
    assert results == ["wrong"] * 4 + ["too_many"]
    assert check_code(session, conversation, right, "t6") == "too_many"
    assert current_customer_id(conversation) is None


def test_the_fifth_try_still_counts(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    request_code(session, conversation, KNOWN, "m1")
    right = mailed_code(session, "m1")
    for n in range(4):
        check_code(session, conversation, a_wrong_code(right), f"t{n}")
    assert check_code(session, conversation, f"{right[:3]} {right[3:]}", "t5") == "verified"


def test_a_slip_uses_up_no_try(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    request_code(session, conversation, KNOWN, "m1")
    for n, slip in enumerate(["", "12345", "1234567", "hello"]):
        assert check_code(session, conversation, slip, f"t{n}") == "wrong"
    assert session.scalars(select(Verification.tries)).one() == 0


def test_parallel_guesses_cannot_exceed_the_limit(engine: Engine) -> None:
    with session_scope(engine) as session:
        service.ensure_customer(session, identities=[("email", KNOWN)])
        conversation_id = talk(session).id
        request_code(session, session.get_one(Conversation, conversation_id), KNOWN, "m1")
        wrong = a_wrong_code(mailed_code(session, "m1"))

    def guess(n: int) -> str:
        with session_scope(engine) as session:
            return check_code(session, session.get_one(Conversation, conversation_id), wrong, f"t{n}")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(guess, range(12)))
    assert sorted(results) == ["too_many"] * 8 + ["wrong"] * 4
    with session_scope(engine) as session:
        assert session.scalars(select(Verification.tries)).one() == 5


def test_a_repeated_turn_sends_and_counts_nothing(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    assert [request_code(session, conversation, KNOWN, "m1") for _ in range(9)] == ["sent"] * 9
    assert count(session, OutboxMessage) == 1
    right = mailed_code(session, "m1")
    assert {check_code(session, conversation, a_wrong_code(right), "t1") for _ in range(9)} == {"wrong"}
    assert session.scalars(select(Verification.tries)).one() == 1
    assert {check_code(session, conversation, right, "t2") for _ in range(3)} == {"verified"}


def test_codes_are_limited_per_conversation(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    for address, expected in [
        (KNOWN, "sent"),
        (UNKNOWN, "sent"),
        ("x@example.com", "sent"),
        (KNOWN, "too_many"),
    ]:
        assert request_code(session, conversation, address, f"m-{address}-{expected}") == expected
    assert request_code(session, talk(session), KNOWN, "other") == "sent"
    with clock.freeze(NOW + timedelta(minutes=15)):
        assert request_code(session, conversation, KNOWN, "later") == "sent"


@pytest.mark.parametrize("address", [KNOWN, UNKNOWN])
def test_codes_are_limited_per_address(session: Session, ann: Customer, address: str) -> None:
    results = [request_code(session, talk(session), address, f"m{n}") for n in range(6)]
    assert results == ["sent"] * 5 + ["too_many"]
    with clock.freeze(NOW + timedelta(hours=1)):
        assert request_code(session, talk(session), address, "later") == "sent"


def test_codes_are_limited_per_client(session: Session, ann: Customer) -> None:
    """Whoever starts ever new conversations cannot try their luck with all customers."""

    def ask(n: int, client: str) -> str:
        conversation = talk(session)
        conversation.client_hash = client
        session.flush()
        return request_code(session, conversation, f"someone{n}@example.com", f"m{n}")

    assert [ask(n, "one") for n in range(31)] == ["sent"] * 30 + ["too_many"]
    assert ask(40, "another") == "sent"
    with clock.freeze(NOW + timedelta(hours=1)):
        assert ask(41, "one") == "sent"


def test_parallel_requests_cannot_exceed_the_limit(engine: Engine) -> None:
    with session_scope(engine) as session:
        service.ensure_customer(session, identities=[("email", KNOWN)])
        ids = [talk(session).id for _ in range(10)]

    def ask(conversation_id: str) -> str:
        with session_scope(engine) as session:
            return request_code(
                session, session.get_one(Conversation, conversation_id), KNOWN, conversation_id
            )

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, ids)) == ["sent"] * 5 + ["too_many"] * 5


def test_an_unknown_address_takes_the_same_way(session: Session, ann: Customer) -> None:
    """The same results for the same steps, whatever is guessed; and no mail to a stranger."""
    outcomes = []
    for address in (KNOWN, UNKNOWN):
        conversation = talk(session)
        steps: list[str] = [request_code(session, conversation, address, f"{address}-1")]
        row = session.scalars(select(Verification).order_by(Verification.id.desc()).limit(1)).one()
        # Not the right one with certainty for neither: a code of letters only would not be a guess.
        steps += [check_code(session, conversation, f"99999{n}", f"{address}-t{n}") for n in range(5)]
        outcomes.append((steps, row.tries, row.expires_at))
    assert outcomes[0][1:] == outcomes[1][1:]
    if "verified" not in outcomes[0][0]:
        assert outcomes[0] == outcomes[1]
    stranger = session.scalars(select(OutboxMessage).where(OutboxMessage.key.contains(UNKNOWN))).one()
    assert (stranger.recipient, stranger.text, stranger.status) == (None, None, "failed")


def test_even_the_right_code_of_an_unknown_address_is_wrong(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapport.kit.tokens.new_code", lambda: "424242")
    conversation = talk(session)
    request_code(session, conversation, UNKNOWN, "m1")
    assert check_code(session, conversation, "424242", "m2") == "wrong"
    assert current_customer_id(conversation) is None


def test_asking_does_the_same_work_for_unknown_addresses(
    engine: Engine, session: Session, ann: Customer
) -> None:
    """Time would tell: the same statements in the same order, whether or not the address is known."""
    done: dict[str, list[str]] = {}
    for address in (KNOWN, UNKNOWN):
        conversation = talk(session)
        statements = done.setdefault(address, [])

        def note(*arguments: Any, seen: list[str] = statements) -> None:
            seen.append(re.sub(r"savepoint_\d+", "savepoint", arguments[2]))

        event.listen(engine, "before_cursor_execute", note)
        request_code(session, conversation, address, f"m-{address}")
        session.flush()
        event.remove(engine, "before_cursor_execute", note)
    assert done[KNOWN] == done[UNKNOWN]
    assert len(done[KNOWN]) > 3


def test_the_mail_leaves_only_after_the_answer(session: Session, ann: Customer) -> None:
    """Sending it in the same moment made the answer slower, which told that the address is known."""
    request_code(session, talk(session), KNOWN, "m1")
    row = session.scalars(select(OutboxMessage)).one()
    assert timedelta(seconds=0.3) <= row.next_attempt_at - NOW <= timedelta(seconds=2)


@pytest.mark.parametrize("address", ["", "x", "a@b", "a@b.no, c@d.no", "a@b.no\nBcc: c@d.no", "\0@b.no"])
def test_what_is_no_address_changes_nothing(session: Session, address: str) -> None:
    with pytest.raises(InvalidInputError):
        request_code(session, talk(session), address, "m1")
    assert count(session, Verification) == count(session, OutboxMessage) == 0


def test_verifying_as_someone_else_changes_who_it_is(session: Session, ann: Customer) -> None:
    bob = service.ensure_customer(session, identities=[("email", "bob@example.com")])
    conversation = talk(session)
    for address, customer in ((KNOWN, ann), ("bob@example.com", bob)):
        request_code(session, conversation, address, f"{address}-1")
        assert (
            check_code(session, conversation, mailed_code(session, f"{address}-1"), f"{address}-2")
            == "verified"
        )
        assert current_customer_id(conversation) == customer.id


IDENTITY_SECRET = "identity-secret-0123456789-0123456789"


@pytest.fixture
def identity(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RAPPORT_IDENTITY_SECRET", IDENTITY_SECRET)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def token(secret: str = IDENTITY_SECRET, algorithm: str = "HS256", **claims: object) -> str:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    return jwt.encode({"email": KNOWN, "exp": soon, **claims}, secret, algorithm)


@pytest.mark.usefixtures("identity")
def test_the_host_sites_token_verifies(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    assert verify_with_token(session, conversation, token(email="ANN@example.com")) == ann.id
    assert current_customer_id(conversation) == ann.id
    assert conversation.verified_until == NOW + rules.VERIFIED_FOR


@pytest.mark.usefixtures("identity")
def test_someone_new_with_a_token_becomes_a_customer(session: Session, ann: Customer) -> None:
    first = verify_with_token(session, talk(session), token(email="new@example.com", name="Ne\0w"))
    assert first != ann.id
    assert verify_with_token(session, talk(session), token(email="new@example.com")) == first
    assert session.get_one(Customer, first).name == "New"


@pytest.mark.usefixtures("identity")
@pytest.mark.usefixtures("identity")
def test_a_name_no_database_can_store_is_mended(session: Session) -> None:
    claims = b'{"email": "new@example.com", "name": "N\\ud800w", "exp": 99999999999}'
    odd = jwt.api_jws.encode(claims, IDENTITY_SECRET, "HS256")
    customer_id = verify_with_token(session, talk(session), odd)
    assert session.get_one(Customer, customer_id).name == "N?w"


def test_a_bad_token_verifies_nobody(session: Session, ann: Customer) -> None:
    conversation = talk(session)
    good = token()
    header, payload, signature = good.split(".")
    unsigned = jwt.encode({"email": KNOWN, "exp": datetime.now(UTC) + timedelta(minutes=5)}, "", "none")
    past = datetime.now(UTC) - timedelta(seconds=1)
    for bad in [
        "",
        "x",
        "a.b.c",
        "\ud800",
        "\0",
        unsigned,
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[::-1]}",
        token(secret="another-secret-0123456789-0123456789"),
        token(algorithm="HS512", secret=IDENTITY_SECRET * 2),
        token(exp=past),
        token(email="no address"),
        token(email=["a@b.no"]),
        jwt.encode({"email": KNOWN}, IDENTITY_SECRET),
        jwt.encode({"exp": datetime.now(UTC) + timedelta(minutes=5)}, IDENTITY_SECRET),
    ]:
        with pytest.raises(UnauthorizedError):
            verify_with_token(session, conversation, bad)
    assert current_customer_id(conversation) is None


@pytest.mark.parametrize("secret", [None, "", "short"])
def test_without_a_proper_secret_no_token_is_taken(
    session: Session, monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    if secret is not None:
        monkeypatch.setenv("RAPPORT_IDENTITY_SECRET", secret)
    get_settings.cache_clear()
    with pytest.raises(UnauthorizedError):
        verify_with_token(session, talk(session), token())
