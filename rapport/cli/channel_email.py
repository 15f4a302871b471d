"""What `rapport channel check` looks at for e-mail: the mailbox, and the server that answers go out by."""

from __future__ import annotations

from collections.abc import Iterator

from rapport.cli import channel_setup, doctor_mail
from rapport.cli.channel_setup import Finding
from rapport.kit.settings import Settings


def check(settings: Settings) -> Iterator[Finding]:
    """What both servers say, and the app."""
    from rapport.channels import mail

    channel = mail.make(settings)
    if channel is None:
        return
    where = f"{settings.imap_folder} at {settings.imap_host}:{settings.imap_port}"
    trouble = channel.trouble()
    if trouble:
        yield Finding("Mailbox", "wrong", f"{where}: {trouble}", "look at the RAPPORT_IMAP_… settings")
    else:
        yield Finding("Mailbox", "ok", where)
    yield doctor_mail.server(settings)
    yield channel_setup.app_finding(settings, "email")
