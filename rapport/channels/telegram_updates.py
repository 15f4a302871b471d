"""What Telegram's updates tell. Only what is used is looked at; whatever else they hold may change.

So python-telegram-bot does not read them: it looks at every part and not at what it is, so that a text is
lost with a sticker it does not know, and a number arrives as a text. The tests let it read beside us.

Only private chats: in a group the bot would talk in front of others about one person's orders.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rapport.channels.base import Event, Left, Said, Sender, Unreadable

# What Telegram is asked to send. It leaves out reactions unless they are named.
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "message_reaction", "my_chat_member")

# The first that a message has. Animations come with a document, venues with a location.
KINDS = {
    "sticker": "sticker",
    "voice": "voice",
    "audio": "voice",
    "video_note": "voice",
    "photo": "image",
    "video": "video",
    "animation": "file",
    "document": "file",
    "venue": "location",
    "location": "location",
    "contact": "contact",
}
# What the app notes in a chat by itself, or what somebody did there without saying anything.
SILENT = frozenset(
    [
        "boost_added",
        "chat_background_set",
        "checklist_tasks_added",
        "checklist_tasks_done",
        "connected_website",
        "forum_topic_closed",
        "forum_topic_created",
        "forum_topic_edited",
        "forum_topic_reopened",
        "message_auto_delete_timer_changed",
        "pinned_message",
        "proximity_alert_triggered",
        "write_access_allowed",
    ]
)

COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@[A-Za-z0-9_]+)?(?:\s+(.*))?", re.DOTALL)
# As links.py makes them. What else follows /start is a name the shop gave a link of its own.
LINK_TOKEN = re.compile(r"[A-Za-z0-9]{32}")
# No language's own word: it must not change the one that the app said the person speaks.
GREETING = "Hello"

Id = Annotated[int, Field(gt=-(2**63), lt=2**63)]
Seconds = Annotated[int, Field(ge=0, lt=2**35)]


class _User(BaseModel):
    id: Id
    is_bot: bool = False
    language_code: str | None = None


class _Chat(BaseModel):
    id: Id
    type: str


class _Button(BaseModel):
    text: str
    callback_data: str | None = None


class _Keyboard(BaseModel):
    inline_keyboard: list[list[_Button]]


class _Message(BaseModel):
    """A message, or what is left of one that is too old to be shown again."""

    model_config = ConfigDict(extra="allow")

    message_id: Id
    chat: _Chat
    sender: _User | None = Field(None, alias="from")
    edit_date: Seconds | None = None
    text: str | None = None
    caption: str | None = None
    media_group_id: str | None = Field(None, max_length=100)
    reply_markup: _Keyboard | None = None

    def has(self, name: str) -> bool:
        return name in (self.model_extra or {})


class _Press(BaseModel):
    id: str = Field(max_length=100)
    sender: _User = Field(alias="from")
    message: _Message | None = None
    data: str | None = None


class _Reaction(BaseModel):
    chat: _Chat
    message_id: Id
    user: _User | None = None
    date: Seconds
    new_reaction: list[Any]


class _Member(BaseModel):
    status: str


class _Membership(BaseModel):
    chat: _Chat
    sender: _User = Field(alias="from")
    date: Seconds
    new_chat_member: _Member


class Update(BaseModel):
    """One update; `ALLOWED_UPDATES` are the kinds that are read."""

    message: _Message | None = None
    edited_message: _Message | None = None
    callback_query: _Press | None = None
    message_reaction: _Reaction | None = None
    my_chat_member: _Membership | None = None


def event(update: Update, bot_id: str) -> Event | None:
    """What an update tells; None for nothing that concerns us.

    Telegram numbers messages by chat and bot: with another bot the numbers begin again.
    """
    if update.message is not None:
        return _message(update.message, bot_id)
    if update.edited_message is not None:
        return _edit(update.edited_message, bot_id)
    if update.callback_query is not None:
        return _press(update.callback_query, bot_id)
    if update.message_reaction is not None:
        return _reaction(update.message_reaction, bot_id)
    if update.my_chat_member is not None:
        return _membership(update.my_chat_member, bot_id)
    return None


def _sender(chat: _Chat, user: _User | None) -> Sender | None:
    """The person, whose id is also that of their private chat; None for groups, channels and bots."""
    if chat.type != "private" or user is None or user.is_bot:
        return None
    return Sender(str(chat.id), language=user.language_code)


def _message(message: _Message, bot_id: str) -> Event | None:
    sender = _sender(message.chat, message.sender)
    if sender is None:
        return None
    provider_id = f"{bot_id}:{message.chat.id}:{message.message_id}"
    words = message.text or message.caption
    if words:
        command = COMMAND.fullmatch(words)
        return _command(sender, provider_id, command) if command else Said(sender, provider_id, words)
    if any(message.has(name) for name in SILENT):
        return None
    if message.media_group_id:
        # An album: each picture comes as a message of its own, and one answer is enough.
        provider_id = f"{bot_id}:{message.chat.id}:album:{message.media_group_id}"
    what = next((what for name, what in KINDS.items() if message.has(name)), "other")
    return Unreadable(sender, provider_id, what)


def _command(sender: Sender, provider_id: str, command: re.Match[str]) -> Said:
    name, rest = command[1].lower(), (command[2] or "").strip()
    if name != "start":
        return Said(sender, provider_id, f"{name.replace('_', ' ')} {rest}".strip())
    if LINK_TOKEN.fullmatch(rest):
        return Said(sender, provider_id, "/start", link=rest)
    return Said(sender, provider_id, GREETING)


def _edit(message: _Message, bot_id: str) -> Event | None:
    """Not what Telegram itself changed (no new date), nor a live location, which moves by itself."""
    sender = _sender(message.chat, message.sender)
    if sender is None or message.edit_date is None or message.has("location"):
        return None
    return Unreadable(
        sender, f"{bot_id}:{message.chat.id}:{message.message_id}:edit:{message.edit_date}", "edit"
    )


def _press(press: _Press, bot_id: str) -> Event | None:
    """A button; its title is read from the message it belongs to, which an old one may have lost."""
    if press.message is None or press.data is None:
        return None
    sender = _sender(press.message.chat, press.sender)
    if sender is None:
        return None
    rows = press.message.reply_markup.inline_keyboard if press.message.reply_markup else []
    title = next((button.text for row in rows for button in row if button.callback_data == press.data), "")
    return Said(sender, f"{bot_id}:{sender.address}:press:{press.id}", title, button=press.data)


def _reaction(reaction: _Reaction, bot_id: str) -> Event | None:
    """A new one; somebody who takes theirs back says nothing."""
    sender = _sender(reaction.chat, reaction.user)
    if sender is None or not reaction.new_reaction:
        return None
    about = f"{bot_id}:{reaction.chat.id}:{reaction.message_id}"
    return Unreadable(sender, f"{about}:reaction:{reaction.date}", "reaction")


def _membership(membership: _Membership, bot_id: str) -> Event | None:
    sender = _sender(membership.chat, membership.sender)
    status = membership.new_chat_member.status
    if sender is None or status not in {"kicked", "member"}:
        return None
    provider_id = f"{bot_id}:{sender.address}:member:{membership.date}:{status}"
    # Telegram tells the second in which it was: at its end it was so.
    at = datetime.fromtimestamp(membership.date + 1, UTC)
    return Left(sender, provider_id, back=status == "member", at=at)
