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
        "bounced": mark("Came back"),
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
    "purpose": {
        "newsletter": mark("Newsletter"),
        "tips": mark("Thanks and tips"),
        "reminders": mark("Reminders"),
        "alerts": mark("What they asked to be told of"),
    },
    "decision": {"send": mark("Sent"), "later": mark("Put off"), "never": mark("Not sent")},
    # Why something unasked is not sent: rapport/outreach/policy/rules.py and outreach/journeys/rules.py.
    "why": {
        "allowed": mark("Nothing speaks against it"),
        "no_consent": mark("They did not agree to it"),
        "refused_channel": mark("They do not want to be reached that way"),
        "no_channel": mark("No address that was shown to be theirs"),
        "unreachable": mark("Messages do not reach them"),
        "window_closed": mark("Their app takes no free text now"),
        "too_costly": mark("It costs more than they are worth"),
        "open_complaint": mark("A complaint is open"),
        "bad_mention": mark("They complained in public"),
        "paused": mark("They asked for a pause"),
        "handled_by_staff": mark("One of us talks with them"),
        "too_many": mark("They heard from us often enough"),
        "quiet_hours": mark("Quiet hours where they are"),
        "bought": mark("They bought meanwhile"),
        "lost_interest": mark("They no longer wanted it"),
        "returned": mark("They sent it back"),
        "used": mark("They used it already"),
        "not_for_them": mark("They are not among those it is for"),
        "no_offer": mark("There was no code for them"),
        "no_words": mark("Something its words need was missing"),
        "switched_off": mark("The journey was switched off"),
        "too_late": mark("It would have come too late"),
        "left": mark("They were taken off the journey"),
        "called_back": mark("They wanted nothing more before it left"),
        "failed": mark("A mistake of ours kept it from being decided"),
    },
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
    mark("end messages"),
)
