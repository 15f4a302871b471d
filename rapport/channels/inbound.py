"""What messaging apps bring: who it is from, and what becomes of it. In the transaction of the webhook.

Everything is stored, whatever it is. Each message gets one answer: the bot's, or a notice where the bot is
not the one to answer.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rapport.channels import links, mail_feedback, notices, repository, rules
from rapport.channels.base import (
    MAX_TEXT,
    Event,
    InboundMessage,
    Left,
    MessagingChannel,
    Report,
    Said,
    Sender,
    Stopped,
    Unreadable,
)
from rapport.channels.models import ContactPoint
from rapport.channels.outbound import report
from rapport.conversations import repository as conversations_repository
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation
from rapport.customers import contact, verification
from rapport.customers import repository as customers_repository
from rapport.customers import service as customers
from rapport.customers.models import Customer, Identity
from rapport.customers.rules import VERIFIED_FOR, normalise_identity
from rapport.kit import clock, languages, tokens
from rapport.kit.errors import ConflictError, RapportError, TooManyRequestsError
from rapport.kit.rates import Rate
from rapport.kit.settings import get_settings

log = logging.getLogger(__name__)

# Stored of a message that is too long; the rest of so much is no message to a shop.
MAX_STORED = 20_000
# So many are remembered as new while there are too many; the rest are heard when they write again.
MOST_HELD = 10_000


@dataclass
class Limits:
    """How much one person, and how many new ones, may write; each gets one notice a minute that says so.

    Who comes while too many are new is heard once there is room, and not because they write twice.
    `tell_new` False: nobody tells them, where somebody else may have written in their name.
    """

    per_sender: Rate = field(default_factory=lambda: Rate(30, 60))
    new_senders: Rate = field(default_factory=lambda: Rate(120, 60))
    notices: Rate = field(default_factory=lambda: Rate(1, 60))
    tell_new: bool = True
    on: bool = True
    _held: dict[str, None] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def notice(self, sender: str, channel: str, new: bool) -> str | None:
        """What to answer instead of the bot; None while all is well, "" for nothing more than was said."""
        if not self.on:
            return None
        if _over(self.per_sender, sender):
            return "" if _over(self.notices, sender) else notices.TOO_FAST
        if not self._is_held(sender, channel, new):
            return None
        return notices.BUSY if self.tell_new and not _over(self.notices, sender) else ""

    def _is_held(self, sender: str, channel: str, new: bool) -> bool:
        with self._lock:
            if not new and sender not in self._held:
                return False
            self._held.pop(sender, None)
            if not _over(self.new_senders, channel):
                return False
            self._held[sender] = None
            if len(self._held) > MOST_HELD:
                del self._held[next(iter(self._held))]
            return True


def _over(rate: Rate, key: str) -> bool:
    try:
        rate.check(key)
    except TooManyRequestsError:
        return True
    return False


def take(session: Session, channel: MessagingChannel, event: Event, limits: Limits) -> str | None:
    """Store what a provider told; returns the conversation that now has something to answer.

    The same again changes nothing.
    """
    if isinstance(event, Report):
        report(session, channel.name, event)
        if channel.name == mail_feedback.EMAIL:
            mail_feedback.take(session, event)
        return None
    if conversations_repository.by_provider_id(session, channel.name, event.provider_id) is not None:
        return None
    if isinstance(event, Stopped):
        _stopped(session, channel, event)
        return None
    point, new = _contact(session, channel, event.sender)
    if isinstance(event, Left):
        _left(point, event)
        return None
    if clock.now() - point.last_inbound_at > links.LASTS:
        point.linked_at = None
    point.last_inbound_at, point.thread = clock.now(), event.provider_id
    point.unreachable_since = point.unreachable_reason = None
    conversation = repository.conversation(session, point.conversation_id)
    if channel.authenticates and point.linked_at is not None and _is_nobody_else(conversation, point):
        conversation.customer_id = point.customer_id
        conversation.verified_until = clock.now() + VERIFIED_FOR
    inbound = _inbound(session, channel, event, point, limits.notice(event.sender.address, channel.name, new))
    if event.subject is not None:
        inbound = replace(inbound, subject=event.subject)
    if isinstance(event, Said) and event.answers is not None:
        answers = links.answers_ours(session, conversation.id, event.answers)
        inbound = replace(inbound, unproven=not answers)
    try:
        _message, added = conversations.receive(session, conversation, inbound)
    except ConflictError:
        # The provider's own id of a message with other words in it: the first ones stay.
        log.warning("A message came again on %s with other content.", channel.name)
        return None
    if added and inbound.unproven:
        verification.end(session, conversation)  # only now: nobody else changes the conversation any more
    return conversation.id if added and inbound.notice != "" else None


def _is_nobody_else(conversation: Conversation, point: ContactPoint) -> bool:
    """False while they have shown by a code to be another customer as well: that counts until it ends."""
    return verification.current_customer_id(conversation) in (None, point.customer_id)


def _contact(session: Session, channel: MessagingChannel, sender: Sender) -> tuple[ContactPoint, bool]:
    """Who this is; somebody new becomes a prospect with a conversation of their own."""
    addresses = (sender.address, *sender.aliases)
    for _ in range(2):
        point = repository.contact(session, channel.name, addresses)
        if point is not None:
            _known_again(session, channel, point, sender)
            return point, False
        try:
            with session.begin_nested():
                return _new_contact(session, channel, sender), True
        except IntegrityError:
            continue  # another message of theirs was faster
    raise RapportError("The same person is being added again and again.")


def _known_again(session: Session, channel: MessagingChannel, point: ContactPoint, sender: Sender) -> None:
    if channel.authenticates:
        if point.address != sender.address:
            # What they wrote under before is theirs no longer: a number may have another owner some day.
            before, now = (_value(channel, address) for address in (point.address, sender.address))
            customers.rename_identity(session, point.customer_id, channel.name, before, now)
    else:
        owner = customers_repository.find_identity(session, channel.name, _value(channel, sender.address))
        if owner is not None and owner.customer_id != point.customer_id:
            point.customer_id, point.linked_at = owner.customer_id, None  # the shop knows them by now
    point.address = sender.address


def _new_contact(session: Session, channel: MessagingChannel, sender: Sender) -> ContactPoint:
    customer = _owner(session, channel, sender) or _prospect(session, channel, sender)
    conversation = conversations.start(
        session, channel.name, sender.language or customer.language, client_hash=_client_hash(channel, sender)
    )
    point = ContactPoint(
        channel=channel.name,
        address=sender.address,
        conversation_id=conversation.id,
        customer_id=customer.id,
        last_inbound_at=clock.now(),
    )
    session.add(point)
    session.flush()
    return point


def _owner(session: Session, channel: MessagingChannel, sender: Sender) -> Customer | None:
    """An address that we know already is its owner's: of mail most are. It opens nothing by itself.

    Who is reached elsewhere on a channel that nobody can forge is not this one: they had the address once.
    """
    identity = customers_repository.find_identity(session, channel.name, _value(channel, sender.address))
    if identity is None:
        return None
    points = repository.contacts_of(session, identity.customer_id)
    if channel.authenticates and any(point.channel == channel.name for point in points):
        return None
    return identity.customer


def _prospect(session: Session, channel: MessagingChannel, sender: Sender) -> Customer:
    customer = Customer(language=languages.normalise(sender.language))
    session.add(customer)
    session.flush()
    # A mail may be forged, or written before the first order: the address is not taken from who has it then.
    value = _value(channel, sender.address)
    if channel.authenticates and customers_repository.find_identity(session, channel.name, value) is None:
        session.add(Identity(customer=customer, kind=channel.name, value=value, verified_at=clock.now()))
        session.flush()
    customers.note(session, customer.id, "registered")
    return customer


def _value(channel: MessagingChannel, address: str) -> str:
    return normalise_identity(channel.name, address) or address


def _client_hash(channel: MessagingChannel, sender: Sender) -> str | None:
    """By what codes are limited where one can write under any number of names: a mail's domain, else all."""
    if channel.authenticates:
        return None
    _, _, domain = sender.address.rpartition("@")
    where = domain.lower() if "@" in sender.address else ""
    key = get_settings().secret_key.get_secret_value()
    return tokens.keyed_hash(key, "channel-client", f"{channel.name}:{where}")


def _left(point: ContactPoint, event: Left) -> None:
    if event.at is not None and event.at < point.last_inbound_at:
        return  # it comes late: they have written since
    point.unreachable_since = None if event.back else clock.now()
    point.unreachable_reason = None if event.back else "blocked"


def _inbound(
    session: Session,
    channel: MessagingChannel,
    event: Said | Unreadable,
    point: ContactPoint,
    limited: str | None,
) -> InboundMessage:
    """The message as it is stored, with the notice that answers it if the bot is not to."""
    if isinstance(event, Unreadable):
        what = event.what if event.what in notices.UNREADABLE else "other"
        return InboundMessage(
            channel.name, event.provider_id, "", notice=what if limited is None else limited
        )
    text = event.text.replace("\0", "").strip()

    def as_text(notice: str | None) -> InboundMessage:
        return InboundMessage(channel.name, event.provider_id, text[:MAX_STORED], notice=notice)

    conversation = repository.conversation(session, point.conversation_id)
    chosen = _button(session, conversation, event.button)
    # A button of ours is what it stands for. STOP counts however much was written before it.
    if chosen is None and rules.is_stop(text):
        return as_text(_stop(session, point, conversation, event))
    if limited is not None:
        return as_text(limited)
    if event.link is not None:
        return as_text(links.follow(session, point, event.link))
    if len(text) > MAX_TEXT:
        return as_text(notices.TOO_LONG)
    chosen = chosen or _button(session, conversation, _typed_button(session, channel, conversation, text))
    if chosen is not None:
        return InboundMessage(channel.name, event.provider_id, *chosen)
    return as_text(None if text else "other")


def _button(session: Session, conversation: Conversation, pressed: str | None) -> tuple[str, str] | None:
    """(title, payload) of a button; None for one of another time: what it says is read as a text."""
    try:
        return conversations.button(session, conversation, pressed) if pressed is not None else None
    except RapportError:
        return None


def _typed_button(
    session: Session, channel: MessagingChannel, conversation: Conversation, text: str
) -> str | None:
    """The button somebody means who types its number or title."""
    sequence, question, buttons = repository.newest_buttons(session, conversation.id)
    listed = rules.are_listed(question, [button["title"] for button in buttons], channel.limits)
    name = rules.chosen(text, buttons, listed)
    return f"{sequence}:{name}" if name is not None else None


def _stop(session: Session, point: ContactPoint, conversation: Conversation, event: Said) -> str:
    """Everything unasked ends, on all channels. Said once; who says it again is heard all the same. Something
    they agreed to since makes it new.
    """
    left = _unsubscribe(session, point.channel, event, point, conversation)
    if point.stopped_at is not None and not left:
        return ""
    point.stopped_at = clock.now()
    return notices.STOPPED


def _stopped(session: Session, channel: MessagingChannel, event: Stopped) -> None:
    """They said it to the provider: nobody is answered. Who never wrote here may be known by their number."""
    point = repository.contact(session, channel.name, (event.sender.address, *event.sender.aliases))
    conversation = repository.conversation(session, point.conversation_id) if point is not None else None
    _unsubscribe(session, channel.name, event, point, conversation)
    if point is not None and conversation is not None:
        point.stopped_at = point.stopped_at or clock.now()  # else a merge would know nothing of it
        # So that the same again ends nothing that they agree to after this.
        conversations.receive(
            session, conversation, InboundMessage(channel.name, event.provider_id, "", notice="")
        )


def _unsubscribe(
    session: Session,
    channel: str,
    event: Said | Stopped,
    point: ContactPoint | None,
    conversation: Conversation | None,
) -> bool:
    """For whoever this may be: who writes, whom they have shown to be, and whose number it is. Whether there
    was anything to end.
    """
    people: set[int] = {point.customer_id} if point is not None else set()
    for address in (event.sender.address, *event.sender.aliases):
        people |= customers.known_by_address(session, channel, address)
    shown = verification.current_customer_id(conversation) if conversation is not None else None
    if shown is not None:
        people.add(shown)
    # Providers' ids are longer than a source may be.
    key = hashlib.sha256(event.provider_id.encode()).hexdigest()[:40]
    key = f"{conversation.id if conversation is not None else channel}:{key}"
    left = [contact.unsubscribe(session, customer_id, key) for customer_id in sorted(people)]
    return any(left)
