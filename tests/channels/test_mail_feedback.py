"""Reports in the mailbox about what the outbox sent, through real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select

from rapport.customers import contact
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import Settings
from rapport.outreach import repository
from rapport.outreach.models import OutboxMessage
from tests.channels.fakes.mailbox import MailProvider, a_mail
from tests.channels.harness import running
from tests.channels.test_mail_reading import bounce, complaint
from tests.fake_rasa import FakeRasa
from tests.outreach.queueing import a_customer, queue, row
from tests.running import RunningApp, until

PROVIDER = MailProvider
IN_REPORTS = b"<0123abcd@fjordly.example>"
PEOPLE = {name: f"{name}@example.com" for name in ("gone", "angry", "tired", "clicks")}


@pytest.fixture
def app(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, provider: MailProvider
) -> Iterator[RunningApp]:
    """It sends what waits."""
    with running(provider, settings, sqlite_engine, rasa, background=True) as app:
        yield app


def test_what_comes_back_is_heard(
    app: RunningApp, provider: MailProvider, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    ids = {name: a_customer(sqlite_engine, address) for name, address in PEOPLE.items()}
    with session_scope(sqlite_engine) as session:
        for customer_id in ids.values():
            contact.subscribe(session, customer_id, f"message-{customer_id}")
    for name, customer_id in ids.items():
        queue(sqlite_engine, customer_id, "newsletter", [name], PEOPLE[name])
    until(lambda: len(provider.post.taken) == 4, 20)
    until(lambda: all(row(sqlite_engine, name).status == "sent" for name in PEOPLE), 5)
    named = {mail["To"].partition("@")[0]: str(mail["Message-ID"]) for mail in provider.post.taken}
    provider.mailbox.deliver(bounce().replace(IN_REPORTS, named["gone"].encode()))
    provider.mailbox.deliver(complaint().replace(IN_REPORTS, named["angry"].encode()))
    own = named["tired"].strip("<>").partition("@")[0]
    provider.mailbox.deliver(a_mail(PEOPLE["tired"], "", subject=f"unsubscribe {own}"))
    # What a mail program does at its own button: no cookies, no page, one POST (RFC 8058).
    [clicked] = [mail for mail in provider.post.taken if mail["To"] == PEOPLE["clicks"]]
    assert clicked["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = re.fullmatch(r"<http://[^/]+(/u/[a-z2-7]+)>", clicked["List-Unsubscribe"])
    assert path is not None
    answer = app.client.post(path[1], data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    until(lambda: provider.mailbox.unseen() == 0, 20)
    with read_scope(sqlite_engine) as session:
        found = dict(session.execute(select(OutboxMessage.key, OutboxMessage.status)).all())
        assert found == {"gone": "bounced", "angry": "sent", "tired": "sent", "clicks": "sent"}
        assert repository.unreachable(session, PEOPLE["gone"]) == "bounced: 5.1.1"
        wants = {name: contact.is_subscribed(session, customer_id) for name, customer_id in ids.items()}
    assert wants == {"gone": True, "angry": False, "tired": False, "clicks": False}
    assert len(provider.post.taken) == 4, "nobody is answered"
