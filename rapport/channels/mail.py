"""E-mail as a conversation: fetched from a mailbox, answered by the shop's own mailer.

A From line can be forged, so it proves nothing about who writes.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from email.utils import parseaddr
from typing import ClassVar

from rapport.channels import mail_box, mail_reading, mail_text
from rapport.channels.base import (
    Event,
    FetchingChannel,
    InDoubtError,
    Limits,
    Part,
    RefusedError,
    Report,
    Request,
    Said,
    Sender,
    Target,
    TryAgainError,
    Unreadable,
)
from rapport.kit import clock, tokens
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings
from rapport.outreach import mail as outreach
from rapport.outreach.letter import build_mail

log = logging.getLogger(__name__)


class Email(FetchingChannel):
    """The mailbox's channel. `origin` is who answers, as Name <address>."""

    name: ClassVar[str] = "email"
    limits: ClassVar[Limits] = Limits(text=20_000, images=False)
    authenticates: ClassVar[bool] = False
    has_subjects: ClassVar[bool] = True
    # Two robots that answer each other stop here, if nothing else tells that they are robots.
    per_sender: ClassVar[tuple[int, float]] = (20, 3600)

    def __init__(
        self, fetcher: mail_box.Fetcher, mailer: outreach.Mailer, origin: str, user: str, secret: str
    ) -> None:
        self._fetcher = fetcher
        self._mailer = mailer
        self._origin = origin
        name, address = parseaddr(origin)
        self._shop = name or address
        self._domain = address.rpartition("@")[2] or "localhost"
        self._ours = {address.lower(), user.lower()}
        self._secret = secret

    def start(self, take: Callable[[Request], None]) -> None:
        self._fetcher.start(lambda raw: take(Request("", {}, raw)))

    def stop(self) -> None:
        self._fetcher.stop()

    def trouble(self) -> str | None:
        """What keeps us from reading the mailbox, or None."""
        return self._fetcher.trouble()

    def read(self, request: Request) -> Sequence[Event]:
        mail = mail_reading.read(request.body, self._ours)
        if mail.reports:
            return [self._whole(report) for report in mail.reports]
        if mail.automatic or mail.sender is None:
            log.info("A mail that no person seems to have written is not answered.")
            return []
        sender = Sender(mail.sender, language=mail.language)
        # Some programs give all their mails the same id: another person's mail is another one all the same.
        key = f"{mail.id} {hashlib.sha256(mail.sender.encode()).hexdigest()[:16]}"
        text = mail.text
        if not mail_text.says_something(text):
            text = mail_text.topic(mail.subject) or text
        if mail_text.says_something(text) or (text and not mail.attached):
            return [Said(sender, key, text, subject=mail.subject, answers=mail.answers)]
        return [Unreadable(sender, key, mail.attached or "other", subject=mail.subject)]

    def _whole(self, report: Report) -> Report:
        """With the Message-ID as we wrote it, where only a part of it came back."""
        if report.message_id.startswith("<"):
            return report
        return replace(report, message_id=f"<{report.message_id}@{self._domain}>")

    def send(self, target: Target, part: Part) -> str:
        # The same whenever this part is sent, and nobody can guess that of another: a bounce names it.
        message_id = f"<{tokens.keyed_hash(self._secret, 'mail', target.key)[:40]}@{self._domain}>"
        thread = (target.thread or "").partition(" ")[0]
        answered = thread if thread.startswith("<") else None
        try:
            mail = build_mail(
                sender=self._origin,
                recipient=target.address,
                subject=mail_text.reply_subject(target.subject, self._shop),
                text=part.text,
                language=target.language,
                message_id=message_id,
                at=clock.now(),
                answers=answered,
            )
        except ValueError:
            raise RefusedError("the address cannot stand in a mail", gone=True) from None
        try:
            self._mailer.send(mail)
        except outreach.RefusedError as error:
            raise RefusedError(str(error), gone=error.gone) from None
        except outreach.InDoubtError as error:
            raise InDoubtError(str(error)) from None
        except outreach.TryAgainError as error:
            raise TryAgainError(str(error), channel=error.server) from None
        return message_id


def make(settings: Settings, context: ssl.SSLContext | None = None) -> Email | None:
    """The channel, if there is a mailbox. Raises ConfigurationError when something is missing for it."""
    if not settings.imap_host:
        return None
    user, password = settings.imap_user, settings.imap_password
    if not user or not password or not password.get_secret_value():
        raise ConfigurationError(
            "RAPPORT_IMAP_HOST is set: set RAPPORT_IMAP_USER and RAPPORT_IMAP_PASSWORD as well."
        )
    if not settings.smtp_host:
        raise ConfigurationError(
            "RAPPORT_IMAP_HOST is set, but no mail server to answer with: set RAPPORT_SMTP_HOST as well."
        )
    fetcher = mail_box.Fetcher(
        settings.imap_host,
        settings.imap_port,
        settings.imap_security,
        user,
        password.get_secret_value(),
        settings.imap_folder,
        context,
    )
    secret = settings.secret_key.get_secret_value()
    return Email(fetcher, outreach.make_mailer(settings), settings.mail_from, user, secret)
