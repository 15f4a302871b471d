"""What cases, their states and their history are called on the pages of staff."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rapport.cases.models import CaseEvent
from rapport.console.desk import Desk
from rapport.console.i18n import mark
from rapport.console.templating import when

WORDS: dict[str, dict[str, str]] = {
    "kind": {
        "complaint": mark("Complaint"),
        "request": mark("Request"),
        "review": mark("Review"),
        "mention": mark("Mention"),
        "callback": mark("Call-back"),
    },
    "topic": {
        "cancel_order": mark("Cancel an order"),
        "change_order": mark("Change an order"),
        "change_shipping_address": mark("Change a delivery address"),
        "set_up_shipping_address": mark("New delivery address"),
        "get_refund": mark("Money back"),
        "get_invoice": mark("Invoice"),
        "reorder": mark("Order again"),
        "edit_account": mark("Change account data"),
        "delete_account": mark("Close the account"),
        "export_data": mark("Copy of all data"),
    },
    "status": {
        "open": mark("New"),
        "progress": mark("In progress"),
        "waiting": mark("Waiting for the customer"),
        "resolved": mark("Resolved"),
        "reopened": mark("Reopened"),
    },
    "priority": {"high": mark("Urgent"), "normal": mark("Normal"), "low": mark("Can wait")},
    "outcome": {
        "accepted": mark("Accepted"),
        "partly": mark("Partly"),
        "refused": mark("Refused"),
        "withdrawn": mark("Withdrawn by the customer"),
        "done": mark("Done"),
        "answered": mark("Answered"),
        "noted": mark("Noted, no answer needed"),
        "reached": mark("Reached"),
        "missed": mark("Not reached"),
    },
    "tab": {
        "mine": mark("Mine"),
        "unassigned": mark("Nobody's"),
        "overdue": mark("Overdue"),
        "open": mark("All open"),
        "resolved": mark("Resolved"),
    },
    "order": {
        "placed": mark("Placed"),
        "paid": mark("Paid"),
        "shipped": mark("Shipped"),
        "delivered": mark("Delivered"),
        "cancelled": mark("Cancelled"),
        "refunded": mark("Paid back"),
    },
    "way": {
        "web": mark("Web chat"),
        "telegram": "Telegram",
        "whatsapp": "WhatsApp",
        "messenger": "Messenger",
        "sms": "SMS",
        "email": mark("E-mail"),
        "mail": mark("E-mail"),
    },
}
# What services say of a mistake in a form.
SENTENCES = (
    mark("This cannot be done with the case as it is now."),
    mark("Write 1 to 4000 characters."),
    mark("The link must begin with https:// or http://."),
    mark("Choose how it ended."),
    mark("Choose what it is and how urgent it is."),
    mark("Choose a language, and keep name and number short."),
    mark("Choose how urgent it is."),
    mark("That account is switched off."),
    mark("There is no way to reach this customer now."),
    mark("There is no such customer."),
    mark("There is no such case."),
)
EVENTS = {
    "opened": mark("%(who)s opened it"),
    "taken": mark("%(who)s took it"),
    "assigned": mark("%(who)s gave it to %(to)s"),
    "due": mark("%(who)s set the due date to %(when)s"),
    "priority": mark("%(who)s set the priority to “%(priority)s”"),
    "customer": mark("%(who)s changed whose case it is"),
    "answered": mark("%(who)s answered"),
    "asked": mark("%(who)s asked the customer"),
    "resolved": mark("%(who)s resolved it: %(outcome)s"),
    "reopened": mark("%(who)s reopened it"),
    "note": mark("%(who)s noted"),
    "heard": mark("The customer wrote"),
    "edited": mark("The author changed what they wrote"),
    "removed": mark("The author took back what they wrote"),
    "answered_in_public": mark("%(who)s answered in public"),
    "wrote_back": mark("%(who)s answered the author privately"),
}
BY_NOBODY = {
    "opened": mark("The bot opened it"),
    "reopened": mark("The customer says that it is not solved"),
    "answered_in_public": mark("It was answered in public by itself"),
}


def word(desk: Desk, group: str, key: str | None) -> str:
    """What `key` is called; the key itself if nobody gave it a name, a dash for none."""
    if key is None:
        return "–"
    return desk.gettext(WORDS[group][key]) if key in WORDS[group] else key


def told(desk: Desk, event: CaseEvent, names: Mapping[int, str]) -> str:
    """A line of a case's history."""
    if event.staff_id is None and event.kind in BY_NOBODY:
        return desk.gettext(BY_NOBODY[event.kind])
    details: dict[str, Any] = event.details
    somebody = desk.gettext("nobody")
    after = details.get("after")
    values = {
        "who": names.get(event.staff_id or 0, somebody),
        "to": names.get(after, somebody) if isinstance(after, int) else somebody,
        "when": when(datetime.fromisoformat(str(after)), desk.staff.language) if event.kind == "due" else "",
        "priority": word(desk, "priority", after) if event.kind == "priority" else "",
        "outcome": word(desk, "outcome", details.get("outcome")),
    }
    return desk.gettext(EVENTS[event.kind], **values)
