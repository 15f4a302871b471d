"""Searching on both databases: the same is found, and what is gone is not."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, delete, text, update

from rapport.cases.models import Case
from rapport.conversations.models import Message
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.review import service, words
from rapport.review.filters import Filters
from rapport.review.repository import fts5, tsquery
from rapport.review.service import Page, Reader
from rapport.shop.models import Order
from tests.console.talks import somebody, talk

TEXTS = {
    "en": "Where is my order FJ-1001? I've waited for a week.",
    "es": "¿Dónde está el niño? Quiero la tienda azul, ¡mañana!",
    "nb": "Jeg søkte på Ærlig bokmål. E-post: kåre@eksempel.no, ønsker få råd. Øl?",
    "ro": "Unde este comanda mea? Aș vrea să știu când sosește în țară, vă rog.",
}
HITS = {
    "where order": {"en"},
    "order where": {"en"},
    "fj 1001": {"en"},
    "FJ-1001": {"en"},
    "fj-10": {"en"},
    "ve wai": {"en"},
    '"my order"': {"en"},
    '"order my"': set(),
    '"my ord"': set(),
    "1001 my": {"en"},
    "nino": {"es"},
    "NIÑO": {"es"},
    "donde esta manana": {"es"},
    "sokte": {"nb"},
    "søk": {"nb"},
    "aerlig": {"nb"},
    "kare eksempel": {"nb"},
    "kåre@eksempel.no": {"nb"},
    "ol": {"nb"},
    "bokmal": {"nb"},
    "stiu": {"ro"},
    "știu cand": {"ro"},
    "tara": {"ro"},
    "vreau": set(),
    "e": {"es", "nb", "ro"},
    "": set(),
    "!!! ()": set(),
}

HOSTILE = [
    "'", '"', '"" "', "a OR b", "a NOT b", "NEAR(a, b)", "text:a", "a*", "^a",
    "-a", "a & b | !c <-> d:*", "a\\", "(((",
    "'; DROP TABLE message; --", "%_", "\x01\x02", "𝒳 👍 ½ ²", "0x1f 12e5 1.5e-3 -7", "a" * 5000,
    "a " * 500,
]  # fmt: skip


def found(engine: Engine, line: str, reader: Reader | None = None, **more: object) -> list[str]:
    with read_scope(engine) as session:
        page = service.search(session, Filters(q=line, **more), reader or Reader())  # type: ignore[arg-type]
        return [row.id for row in [*page.direct, *page.rows]]


def pages(engine: Engine, line: str, size: int, reader: Reader | None = None) -> list[Page]:
    made: list[Page] = []
    with read_scope(engine) as session:
        while not made or made[-1].older:
            before = int(made[-1].older or 0) if made else None
            made.append(service.search(session, Filters(q=line), reader or Reader(), before, size))
            assert len(made) < 50
    return made


def test_the_same_words_find_the_same_on_both_databases(engine: Engine) -> None:
    talks = {talk(engine, ("customer", said), language=key): key for key, said in TEXTS.items()}
    for line, languages in HITS.items():
        assert {talks[one] for one in found(engine, line)} == languages, line
        query = words.parse(line)
        assert {key for key, said in TEXTS.items() if words.matches(said, query)} == languages, line
    assert found(engine, "e", language="ro") == [key for key, language in talks.items() if language == "ro"]


def test_both_databases_write_letters_as_the_query_does(engine: Engine) -> None:
    letters = [*words.LETTERS, *(letter.upper() for letter in words.LETTERS), "ẞ"]
    for number, letter in enumerate(letters):
        said = f"x{letter}y{number}"
        one = talk(engine, ("customer", said))
        assert found(engine, said) == [one], letter
        assert found(engine, words.folded(said)) == [one], letter


def test_no_line_of_search_is_an_error(engine: Engine) -> None:
    for number, line in enumerate(HOSTILE):
        one = talk(engine, ("customer", f"before{number} {line.replace(chr(0), '')} after"))
        found(engine, line)
        assert found(engine, f"before{number} after") == [one], line


def test_what_is_removed_or_changed_is_not_found_any_more(engine: Engine) -> None:
    one = talk(engine, ("customer", "my secret søknad"), ("bot", "Thank you"))
    two = talk(engine, ("customer", None), ("bot", "Thanks"))
    person = somebody(engine, "Kåre Øst", "kare@example.com")
    talk(engine, ("customer", "hi"), customer_id=person)
    assert found(engine, "soknad") == [one]
    assert len(found(engine, "kare ost")) == 1
    with session_scope(engine) as session:
        session.execute(update(Message).where(Message.conversation_id == one).values(text="harmless ø"))
        session.execute(update(Message).where(Message.conversation_id == two).values(text="Søndag"))
        session.execute(update(Customer).where(Customer.id == person).values(name=None))
    assert (found(engine, "soknad"), found(engine, "harmless o"), found(engine, "sondag")) == (
        [],
        [one],
        [two],
    )
    assert found(engine, "kare ost") == []
    with session_scope(engine) as session:
        session.execute(update(Message).values(reply_to=None))
        session.execute(delete(Message).where(Message.conversation_id.in_([one, two])))
    assert (found(engine, "harmless"), found(engine, "thank"), found(engine, "sondag")) == ([], [], [])
    if engine.dialect.name == "sqlite":
        with session_scope(engine) as session:
            service.forget_removed(session)
        with engine.connect() as connection:
            # Not even in the pages of the index.
            blocks = connection.execute(text("SELECT block FROM message_search_data")).scalars().all()
            connection.rollback()
        assert not any(
            word in bytes(block) for block in blocks for word in (b"soknad", b"harmless", b"secret")
        )


def test_pages_of_a_search_show_each_conversation_once(engine: Engine) -> None:
    made = [
        talk(engine, ("customer", f"tent {n}"), ("bot", "a tent"), ("customer", "the tent")) for n in range(5)
    ]
    for reader in (Reader(), Reader(sees_all=False)):
        shown = [[row.id for row in page.rows] for page in pages(engine, "tent", 2, reader)]
        assert [one for page in shown for one in page] == made[::-1]
        assert max(map(len, shown)) == 2


def test_a_search_that_would_take_too_long_says_how_far_it_has_looked(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FIRST_LOOK", 2)
    monkeypatch.setattr(service, "MOST_LOOKED_AT", 4)
    old = talk(engine, ("customer", "tent"), language="ro")
    for _ in range(12):
        talk(engine, ("customer", "tent"))
    with read_scope(engine) as session:
        page = service.search(session, Filters(q="tent", language="ro"), Reader())
        assert (page.rows, page.looked_back_to is not None) == ([], True)
        steps = 1
        while page.older:
            page = service.search(session, Filters(q="tent", language="ro"), Reader(), int(page.older))
            steps += 1
        assert ([row.id for row in page.rows], steps) == ([old], 2)


def test_who_may_not_see_people_finds_nothing_by_them(engine: Engine) -> None:
    person = somebody(engine, "Ana Pop", "ana@example.com")
    one = talk(
        engine,
        ("customer", "tent, Ana"),
        ("customer", "call +47 912 34 567 or ana@example.com"),
        customer_id=person,
    )
    hidden = Reader(staff_id=9, sees_all=False)
    for line in ("ana", "pop", "ana@example.com", "912", "example", "call ana"):
        assert found(engine, line, hidden) == [], line
    assert found(engine, "tent", hidden) == [one]
    assert found(engine, "call", hidden) == [one]
    assert found(engine, "ana pop") == [one]
    assert found(engine, "ANA@example.com") == [one]


def test_numbers_of_orders_and_cases_lead_to_conversations(engine: Engine) -> None:
    person = somebody(engine)
    theirs, about = talk(engine, ("customer", "hi"), customer_id=person), talk(engine, ("customer", "hello"))
    with session_scope(engine) as session:
        session.add(
            Order(
                source="shop", number="N-77", customer_id=person, status="paid", currency="NOK",
                total_minor=1, placed_at=clock.now(),
            )
        )  # fmt: skip
        case = Case(kind="request", conversation_id=about, message_key="k", text="x", language="en")
        case.order_number = "N-88"
        session.add(case)
        session.flush()
        number = case.id
    assert found(engine, "N-77") == [theirs]
    assert found(engine, "#N-88") == [about]
    assert found(engine, f"#{number}") == [about]


def test_the_languages_of_both_databases() -> None:
    query = words.parse('"my order" FJ-10 late')
    assert fts5(query) == '"my order" AND "fj 10" AND "late" *'
    assert tsquery(query) == "('my' <-> 'order') & ('fj' <-> '10') & ('late':*)"


def test_what_the_conversations_page_hides_is_neither_listed_nor_found(engine: Engine) -> None:
    person = somebody(engine, "Zoë Pop", "merrywidow@example.com")
    one = talk(
        engine,
        ("customer", "I am zoe, merrywidow, of Storgata 5, Oslo\nand my tent of FJ-1001 leaks"),
        customer_id=person,
    )
    hidden = Reader(staff_id=9, sees_all=False)
    for line in ("zoe", "merrywidow", "storgata"):
        assert found(engine, line) == [one], line
        assert found(engine, line, hidden) == [], line
    assert found(engine, "tent fj-1001", hidden) == [one], "whose order it is was asked"
    with read_scope(engine) as session:
        [row] = service.page(session, Filters(), hidden).rows
    shown = "".join(piece.text for piece in row.last)
    assert "tent" in shown
    assert not any(secret in shown for secret in ("zoe", "merrywidow", "Storgata"))
