"""E-mail as a channel: threads, what is not answered, bounces, limits, and what servers say."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, func, select

from rapport.channels import mail as mail_channel
from rapport.channels import mail_box, notices, registry
from rapport.channels.base import InDoubtError, Part, RefusedError, Said, Sender, Target, TryAgainError
from rapport.channels.base import Request as Given
from rapport.channels.mail import Email
from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Message
from rapport.customers.models import Identity
from rapport.kit.database import read_scope
from rapport.kit.errors import ConfigurationError, UnauthorizedError
from rapport.kit.settings import Settings
from rapport.outreach.letter import build_mail
from rapport.outreach.smtp import SmtpMailer
from tests.channels.fakes.mailbox import USER, MailProvider, a_mail
from tests.channels.test_mail_reading import bounce
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp, until

PROVIDER = MailProvider
ANN = "ann@example.com"


@pytest.fixture
def channel(settings: Settings, provider: MailProvider) -> Email:
    made = mail_channel.make(settings.model_copy(update=provider.settings()))
    assert isinstance(made, Email)
    return made


def one(engine: Engine, what: Any) -> Any:
    with read_scope(engine) as session:
        return session.scalar(what)


def answers(provider: MailProvider, count: int) -> list[EmailMessage]:
    return until(lambda: taken if len(taken := list(provider.post.taken)) >= count else None, 20) or []


# --- threads -----------------------------------------------------------------------------------------------


def test_an_answer_belongs_to_what_it_answers(app: RunningApp, provider: MailProvider) -> None:
    asked = a_mail(ANN, "Hei!", subject="Spørsmål om pakken", message_id="<CAF+x.1@mail.example.com>")
    provider.mailbox.deliver(asked)
    [mail] = answers(provider, 1)
    assert mail["Subject"] == "Re: Spørsmål om pakken"
    assert mail["In-Reply-To"] == mail["References"] == "<CAF+x.1@mail.example.com>"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert (mail["From"], mail["To"]) == (f"Fjordly <{USER}>", ANN)
    assert mail.get_content_type() == "text/plain"
    # They answer, with all of it below.
    reply = a_mail(
        ANN,
        f"And this?\n\nOn Sun, 1 Mar 2026 at 12:00, Fjordly <{USER}> wrote:\n> echo: Hei!\n",
        subject="SV: Re: Spørsmål om pakken",
        message_id="<2@example.com>",
        in_reply_to=mail["Message-ID"],
    )
    provider.mailbox.deliver(reply)
    second = answers(provider, 2)[1]
    assert second.get_content().strip() == "echo: And this?"
    assert second["Subject"] == "Re: Spørsmål om pakken"
    assert second["In-Reply-To"] == "<2@example.com>"
    assert second["Message-ID"] != mail["Message-ID"]


def test_the_same_part_has_the_same_id(channel: Email, provider: MailProvider) -> None:
    for key in ("c:1:1", "c:1:1", "c:1:2"):
        channel.send(Target(ANN, key, "en"), Part("hello"))
    first, again, other = [mail["Message-ID"] for mail in provider.post.taken]
    assert first == again != other
    assert first.endswith("@fjordly.example>")
    [mail, *_] = provider.post.taken
    assert mail["Subject"] == "Fjordly" and mail["In-Reply-To"] is None
    assert mail["Auto-Submitted"] == "auto-generated"


def test_long_ids_stay_whole(channel: Email, provider: MailProvider) -> None:
    thread = f"<{'x' * 150}@mail.example.com>"
    channel.send(Target(ANN, "c:1:1", "en", thread, subject="A\r\nBcc: eve@example.com"), Part("hello"))
    channel.send(Target(ANN, "c:1:2", "en", "sha256:abc", subject="Hi"), Part("hello"))
    one, two = provider.post.taken
    assert one["In-Reply-To"] == one["References"] == thread
    assert one["Subject"] == "Re: A Bcc: eve@example.com" and one["Bcc"] is None
    assert two["In-Reply-To"] is None and two["Subject"] == "Re: Hi"


def test_an_id_on_the_wire_is_neither_broken_nor_encoded() -> None:
    thread = f"<{'x' * 150}@mail.example.com>"
    mail = build_mail(
        sender=f"Fjordly <{USER}>",
        recipient=ANN,
        subject="s",
        text="t",
        language="en",
        message_id="<1@x>",
        at=datetime(2026, 3, 1, tzinfo=UTC),
        answers=thread,
    )
    assert f"In-Reply-To: {thread}\r\n".encode() in mail.as_bytes().replace(b":\r\n ", b": ")


# --- what is read ------------------------------------------------------------------------------------------


def said(channel: Email, mail: EmailMessage) -> Any:
    [event] = channel.read(Given("", {}, mail.as_bytes(policy=policy.SMTP)))
    return event


def test_the_subject_counts_only_when_there_is_nothing_else(channel: Email) -> None:
    headers = {"message_id": "<1@example.com>"}
    both = said(channel, a_mail(ANN, "The body", subject="The subject", **headers))
    assert both.provider_id.startswith("<1@example.com> ")
    assert both == Said(Sender(ANN), both.provider_id, "The body", subject="The subject", answers=())
    for body in ("", "\n\n-- \nAnn", "...\n"):
        found = said(channel, a_mail(ANN, body, subject="Where is my order?", **headers))
        assert found.text == "Where is my order?", body
    assert said(channel, a_mail(ANN, "😀", subject="")).text == "😀"
    assert said(channel, a_mail(ANN, "", subject="Re: Our own words")).what == "other"
    assert said(channel, a_mail(ANN, "", subject="")).what == "other"
    attached = a_mail(ANN, "", subject="Order 10023")
    attached.add_attachment(b"x", "image", "jpeg", filename="a.jpg")
    assert said(channel, attached).text == "Order 10023"


def test_one_id_of_two_people_is_two_mails(channel: Email, provider: MailProvider) -> None:
    """As a program writes that gives each mail the same id."""
    given = {
        "message_id": f"<{'x' * 160}@mail.example.com>",
        "in_reply_to": "<a@x>",
        "references": "<b@x>\t<a@x>",
    }
    ann, ben, again = (said(channel, a_mail(who, "hi", **given)) for who in (ANN, "ben@example.com", ANN))
    assert ann == again and ann.provider_id != ben.provider_id
    assert len(ann.provider_id) <= 200 and ann.answers == ("<a@x>", "<b@x>")
    channel.send(Target(ANN, "c:1:1", "en", ann.provider_id), Part("hello"))
    assert provider.post.taken[0]["In-Reply-To"] == given["message_id"]


def test_a_mail_in_the_thread_shows_who_reads_there(
    app: RunningApp, provider: MailProvider, sqlite_engine: Engine
) -> None:
    provider.say(ANN, "hello")
    [mail] = answers(provider, 1)
    until(lambda: one(sqlite_engine, select(Delivery.status)) == "sent", 5)
    provider.mailbox.deliver(a_mail(ANN, "in the thread", in_reply_to=mail["Message-ID"]))
    provider.mailbox.deliver(a_mail(ANN, "forged", in_reply_to="<1@example.com>"))
    answers(provider, 3)
    with read_scope(sqlite_engine) as session:
        query = select(Message.text, Message.content).where(Message.author == "customer")
        proven = {text: "unproven" not in content for text, content in session.execute(query)}
    assert proven == {"hello": False, "in the thread": True, "forged": False}


def test_nobody_may_call_us(app: RunningApp, channel: Email) -> None:
    mail = a_mail(ANN, "hello").as_bytes(policy=policy.SMTP)
    assert app.client.post("/channels/email", content=mail).status_code == 401
    assert app.client.get("/channels/email").status_code == 404
    with pytest.raises(UnauthorizedError):
        channel.check(Given("", {}, mail))


def test_a_forged_sender_proves_nothing(
    app: RunningApp, provider: MailProvider, sqlite_engine: Engine
) -> None:
    provider.say(ANN, "hello")
    answers(provider, 1)
    assert one(sqlite_engine, select(func.count()).select_from(Identity)) == 0
    assert one(sqlite_engine, select(ContactPoint.linked_at)) is None


def test_machines_are_not_answered(
    app: RunningApp, provider: MailProvider, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    provider.mailbox.deliver(a_mail(ANN, "I am away", auto_submitted="auto-replied"))
    provider.mailbox.deliver(a_mail(ANN, "News!", list_id="<news.example.com>"))
    provider.mailbox.deliver(a_mail("noreply@example.com", "Your invoice"))
    provider.mailbox.deliver(a_mail(USER, "from ourselves"))
    provider.mailbox.deliver(bounce())
    provider.mailbox.deliver(b"\xff\xfe nothing of a mail \x00")
    provider.mailbox.deliver(a_mail(ANN, "I am a person"))
    [mail] = answers(provider, 1)
    assert mail.get_content().strip() == "echo: I am a person"
    until(lambda: provider.mailbox.unseen() == 0, 5)
    assert len(rasa.turns) == 1 and one(sqlite_engine, select(func.count()).select_from(Message)) == 2


def test_without_an_id_the_same_mail_is_still_the_same(
    app: RunningApp, provider: MailProvider, sqlite_engine: Engine
) -> None:
    mail = a_mail(ANN, "hello", message_id="")
    provider.mailbox.deliver(mail)
    provider.mailbox.deliver(mail)
    provider.mailbox.deliver(a_mail(ANN, "and you?", message_id=""))
    assert [mail.get_content().strip() for mail in answers(provider, 2)] == ["echo: hello", "echo: and you?"]
    until(lambda: provider.mailbox.unseen() == 0, 5)
    assert len(provider.post.taken) == 2 and provider.post.taken[0]["In-Reply-To"] is None


def test_two_robots_do_not_talk_for_ever(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, provider: MailProvider
) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, **{**provider.settings(), "rate_limits": True})
    allowed = Email.per_sender[0]
    for number in range(allowed + 5):
        provider.say(ANN, f"number {number}")
    provider.say("ben@example.com", "a person")
    until(lambda: provider.mailbox.unseen() == 0 and provider.sent("ben@example.com"), 30)
    until(lambda: len(provider.sent(ANN)) == allowed + 1, 20)
    time.sleep(0.3)
    texts = [sent.text for sent in provider.sent(ANN)]
    assert texts[:-1] == [f"echo: number {number}" for number in range(allowed)]
    assert texts[-1] in {notices.reply("too_fast", "en", turn).text for turn in (0, 1)}
    # All of them are kept for people to read.
    assert one(sqlite_engine, select(func.count()).where(Message.author == "customer")) == allowed + 6
    running.stop()


def test_what_came_while_we_were_away_is_answered_and_what_is_old_is_not(
    settings: Settings,
    sqlite_engine: Engine,
    rasa: FakeRasa,
    provider: MailProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider.say(ANN, "while you were away")
    provider.mailbox.deliver(a_mail(ANN, "long ago"), days_ago=30)
    app = RunningApp(settings, sqlite_engine, rasa, **provider.settings())
    assert answers(provider, 1)[0].get_content().strip() == "echo: while you were away"
    until(lambda: provider.mailbox.unseen() == 1, 5)
    app.stop()
    provider.say(ANN, "and again")
    app = RunningApp(settings, sqlite_engine, rasa, **provider.settings())
    assert answers(provider, 2)[1].get_content().strip() == "echo: and again"
    app.stop()
    assert len(provider.post.taken) == 2


def test_the_app_starts_and_answers_without_the_mailbox(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, provider: MailProvider
) -> None:
    provider.mailbox.stop()
    app = RunningApp(settings, sqlite_engine, rasa, **provider.settings())
    assert app.chat().say("hello")[0]["text"] == "echo: hello"
    provider.mailbox.start()
    provider.say(ANN, "back?")
    assert answers(provider, 1)[0].get_content().strip() == "echo: back?"
    app.stop()


# --- what becomes of it ------------------------------------------------------------------------------------


def test_a_bounce_says_that_nobody_is_there(
    app: RunningApp, provider: MailProvider, sqlite_engine: Engine
) -> None:
    provider.say(ANN, "hello")
    [mail] = answers(provider, 1)
    until(lambda: one(sqlite_engine, select(Delivery.status)) == "sent", 5)
    provider.mailbox.deliver(bounce().replace(b"<0123abcd@fjordly.example>", mail["Message-ID"].encode()))
    until(lambda: one(sqlite_engine, select(Delivery.status)) == "failed", 10)
    assert one(sqlite_engine, select(ContactPoint.unreachable_reason)) == "bounced: 5.1.1"
    provider.say(ANN, "I am back")
    answers(provider, 2)
    assert one(sqlite_engine, select(ContactPoint.unreachable_since)) is None


@pytest.mark.parametrize(("mode", "gone"), [("gone", True), ("refuse", False), ("full", False)])
def test_what_the_server_refuses(channel: Email, provider: MailProvider, mode: str, gone: bool) -> None:
    provider.fail(mode)
    with pytest.raises(RefusedError) as caught:
        channel.send(Target(ANN, "c:1:1", "en"), Part("hello"))
    assert caught.value.gone is gone and ANN not in str(caught.value)


def test_what_may_be_sent_later(channel: Email, provider: MailProvider) -> None:
    for mode in ("again", "slow_down"):
        provider.fail(mode)
        with pytest.raises(TryAgainError) as caught:
            channel.send(Target(ANN, "c:1:1", "en"), Part("hello"))
        assert not caught.value.channel and ANN not in str(caught.value)
    provider.fail("drop")
    with pytest.raises(InDoubtError):
        channel.send(Target(ANN, "c:1:1", "en"), Part("hello"))


def test_a_server_that_is_away_is_so_for_all(settings: Settings, provider: MailProvider) -> None:
    changes = {**provider.settings(), "smtp_port": 1}
    channel = mail_channel.make(settings.model_copy(update=changes))
    assert isinstance(channel, Email)
    with pytest.raises(TryAgainError) as caught:
        channel.send(Target(ANN, "c:1:1", "en"), Part("hello"))
    assert caught.value.channel


def test_what_is_no_address_is_nobody(channel: Email) -> None:
    for address in ("a@b.no, c@d.no", "x", ""):
        with pytest.raises(RefusedError) as caught:
            channel.send(Target(address, "c:1:1", "en"), Part("hello"))
        assert caught.value.gone


def test_settings(settings: Settings) -> None:
    whole: dict[str, Any] = {
        "imap_host": "imap.example.com",
        "imap_user": USER,
        "imap_password": SecretStr("x"),
        "smtp_host": "smtp.example.com",
    }
    assert registry.make(settings) == {}
    made = registry.make(settings.model_copy(update=whole))["email"]
    assert isinstance(made, Email) and isinstance(made._mailer, SmtpMailer)
    assert isinstance(made._fetcher, mail_box.Fetcher)
    for missing, said in (
        ("imap_user", "RAPPORT_IMAP_USER"),
        ("imap_password", "RAPPORT_IMAP_PASSWORD"),
        ("smtp_host", "RAPPORT_SMTP_HOST"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            registry.make(settings.model_copy(update=whole | {missing: None}))
