"""What `rapport doctor` finds about mail: the server, signatures, and what nobody asked for."""

from __future__ import annotations

import smtplib
import ssl

from rapport.cli.findings import Finding
from rapport.kit.errors import RapportError
from rapport.kit.settings import Settings

HOW = "docs/mail.md"


def server(settings: Settings) -> Finding:
    """Whether the mail server takes us."""
    if not settings.smtp_host:
        return Finding(
            "Mail", "ok", f"no server set: written to {settings.var_dir / 'mail'}, shown at /dev/mail"
        )
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        kind = smtplib.SMTP_SSL if settings.smtp_security == "tls" else smtplib.SMTP
        with kind(settings.smtp_host, settings.smtp_port, timeout=10) as server:
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user and settings.smtp_password:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
    except (OSError, smtplib.SMTPException) as error:
        return Finding("Mail", "wrong", f"{where}: {error}", "look at the RAPPORT_SMTP_… settings")
    return Finding("Mail", "ok", where)


def signatures(settings: Settings) -> Finding:
    """Whether mails are signed, and what the DNS must say for it."""
    from rapport.outreach import signing

    name = "Signatures (DKIM)"
    try:
        key = signing.load(settings)
    except RapportError as error:
        return Finding(name, "wrong", str(error), HOW)
    if key is None:
        if settings.smtp_host:
            advice = f"sign with RAPPORT_DKIM_…, unless your mail server does: {HOW}"
            return Finding(name, "warning", "mails are not signed here", advice)
        return Finding(name, "ok", "not set up; nothing leaves this machine")
    # No single string in the DNS is longer.
    strings = (key.record[start : start + 255] for start in range(0, len(key.record), 255))
    record = f"publish: {key.name}. IN TXT " + " ".join(f'"{string}"' for string in strings)
    if not signing.is_aligned(key, settings.mail_from):
        detail = f"{key.domain} signs, but RAPPORT_MAIL_FROM is of another domain: nobody counts that"
        return Finding(name, "wrong", detail, "let the sender's own domain sign")
    if key.algorithm.startswith("rsa") and key.bits < signing.GOOD_RSA:
        detail = f"a key of {key.bits} bits is short; make one of {signing.GOOD_RSA}"
        return Finding(name, "warning", detail, record)
    return Finding(name, "ok", f"{key.algorithm} ({key.bits} bits) for {key.domain}", record)


def unasked(settings: Settings) -> Finding:
    """Whether what nobody asked for can be sent: whoever gets it must be able to leave."""
    from rapport.outreach import letter

    name = "Unasked mail"
    if why := letter.trouble(settings):
        return Finding(name, "wrong", f"none is sent: {why}", "RAPPORT_PUBLIC_URL=https://…")
    if settings.smtp_host and not settings.imap_host:
        detail = "sent, but nobody reads what comes back (bounces, complaints, mails to unsubscribe)"
        return Finding(name, "warning", detail, f"set RAPPORT_IMAP_…: {HOW}")
    return Finding(name, "ok", "each has links to leave and to choose")
