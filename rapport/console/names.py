"""What the words kept in the database are called by people: channels, states, kinds."""

from __future__ import annotations

from rapport.console.i18n import mark, translations

WORDS: dict[str, dict[str, str]] = {
    "channel": {
        "web": mark("Website"),
        "telegram": "Telegram",
        "whatsapp": "WhatsApp",
        "messenger": "Messenger",
        "sms": "SMS",
        "email": mark("E-mail"),
        "phone": mark("Phone"),
    },
    "status": {
        "bot": mark("With the bot"),
        "waiting": mark("Waiting for a person"),
        "human": mark("With a person"),
    },
    "author": {
        "customer": mark("Customer"),
        "bot": mark("Bot"),
        "staff": mark("Staff"),
        "system": mark("System"),
    },
    "sent": {
        "queued": mark("On its way"),
        "sent": mark("Sent"),
        "delivered": mark("Delivered"),
        "read": mark("Read"),
        "failed": mark("Not delivered"),
        "cancelled": mark("Not sent any more"),
        "unknown": mark("Perhaps sent"),
    },
    "notice": {
        "sticker": mark("A sticker, which the bot cannot read"),
        "voice": mark("A voice message, which the bot cannot hear"),
        "image": mark("A picture, which the bot cannot see"),
        "video": mark("A video, which the bot cannot see"),
        "file": mark("A file, which the bot cannot read"),
        "location": mark("A place on a map, which the bot cannot read"),
        "contact": mark("A contact card, which the bot cannot read"),
        "reaction": mark("A reaction to a message"),
        "edit": mark("Changed an earlier message in their app"),
        "delete": mark("Deleted an earlier message in their app"),
        "other": mark("Something the bot cannot read"),
        "too_fast": mark("Too many messages at once: the bot asked for a moment"),
        "busy": mark("Too much was going on: the bot asked for a moment"),
        "too_long": mark("The message was too long"),
        "stopped": mark("Asked to hear nothing more"),
        "linked": mark("Came from the website by their own link"),
        "link_expired": mark("Came by a link that is no longer good"),
        "link_refused": mark("Came by a link that could not be used"),
    },
    "stage": {"know": mark("Knows us"), "interest": mark("Is interested"), "trust": mark("Trusts us")},
    "order": {
        "placed": mark("Placed"),
        "paid": mark("Paid"),
        "shipped": mark("Shipped"),
        "delivered": mark("Delivered"),
        "cancelled": mark("Cancelled"),
        "refunded": mark("Paid back"),
    },
    "code": {
        "issued": mark("Good"),
        "held": mark("In a basket"),
        "redeemed": mark("Used"),
        "expired": mark("Expired"),
        "revoked": mark("Taken back"),
    },
    "occasion": {
        "standing": mark("Standing offer"),
        "birthday": mark("Birthday"),
        "anniversary": mark("A year as a customer"),
        "surprise": mark("Surprise"),
        "recovery": mark("After a complaint"),
        "points": mark("Paid for with points"),
        "referral": mark("Brought a friend"),
    },
    "purpose": {"newsletter": mark("Newsletter")},
    "case": {
        "complaint": mark("Complaint"),
        "request": mark("Request"),
        "mention": mark("Mention"),
        "review": mark("Review"),
        "callback": mark("Call-back"),
    },
    "points": {
        "earn": mark("Earned"),
        "order": mark("Earned with an order"),
        "mature": mark("Became spendable"),
        "take_back": mark("Taken back"),
        "reverse": mark("Undone"),
        "burn": mark("Spent"),
        "hold": mark("Set aside"),
        "capture": mark("Spent"),
        "release": mark("Set free again"),
        "restore": mark("Given back"),
        "expire": mark("Expired"),
        "merge": mark("Joined with another record"),
    },
}


def word(group: str, key: str, language: str) -> str:
    """What `key` is called; the key itself, with spaces, if nobody gave it a name."""
    known = WORDS[group].get(key)
    return translations(language).gettext(known) if known else key.replace("_", " ")


# What the audit log says of these pages: it is kept in English and translated where it is shown.
ACTIONS = (
    mark("look"),
    mark("search"),
    mark("add note"),
    mark("change note"),
    mark("delete note"),
    mark("add tag"),
    mark("remove tag"),
    mark("assign"),
)
