"""Which messaging apps there are, and which of them are switched on. A channel is added by its line here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from rapport.channels import mail, messenger, telegram, twilio, whatsapp
from rapport.channels.base import MessagingChannel
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings

# Each makes the channel the settings ask for, or None when they don't. Raises ConfigurationError when they
# ask for it without the secret that proves what comes in.
MAKERS: tuple[Callable[[Settings], MessagingChannel | None], ...] = (
    telegram.make,
    twilio.make_sms,
    twilio.make_whatsapp,
    mail.make,
    whatsapp.make,
    messenger.make,
)

KINDS: tuple[type[MessagingChannel], ...] = (
    telegram.TelegramChannel,
    twilio.TwilioSms,
    mail.Email,
    whatsapp.WhatsAppChannel,
    messenger.MessengerChannel,
)


def window(channel: str) -> timedelta | None:
    """How long after their last message a person may be written to freely; None where that does not end."""
    return next((kind.limits.window for kind in KINDS if kind.name == channel), None)


def make(settings: Settings) -> dict[str, MessagingChannel]:
    """The channels that are switched on, by name. Raises ConfigurationError."""
    made = [channel for maker in MAKERS if (channel := maker(settings)) is not None]
    names = [channel.name for channel in made]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"{name} is set up in two ways, at its own provider and through Twilio. Choose one and remove"
                " the settings of the other."
            )
    return {channel.name: channel for channel in made}
