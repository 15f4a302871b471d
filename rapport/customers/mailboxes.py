"""Which addresses lead to one mailbox. Pure."""

from __future__ import annotations

from sqlalchemy.engine.default import DefaultExecutionContext


def mailbox(address: str) -> str:
    """The mailbox behind an address, whatever stands behind a plus and however it is dotted.

    Not all providers pass over dots; better that who has a namesake whose address differs in nothing else
    goes without once than that many people are new again and again, or their own friend.
    """
    local, _, domain = address.lower().partition("@")
    domain = {"googlemail.com": "gmail.com"}.get(domain, domain)
    return f"{local.partition('+')[0].replace('.', '') or local}@{domain}"


def of_identity(context: DefaultExecutionContext) -> str | None:
    """The mailbox of an identity that is being stored; None when it is no e-mail address."""
    values = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return mailbox(values["value"]) if values["kind"] == "email" else None
