"""SMS and WhatsApp through Twilio: two channels that speak one protocol."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urljoin

import requests
from twilio.request_validator import RequestValidator

from rapport.channels import twilio_forms
from rapport.channels.base import (
    Event,
    InDoubtError,
    Limits,
    MessagingChannel,
    Part,
    RefusedError,
    Request,
    Sender,
    Target,
    TryAgainError,
)
from rapport.channels.calls import call, retry_after
from rapport.kit.errors import ConfigurationError, InvalidInputError, UnauthorizedError
from rapport.kit.settings import Settings

log = logging.getLogger(__name__)

TWILIO_URL = "https://api.twilio.com"
EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'

WRONG_CREDENTIALS = 20003


class Twilio(MessagingChannel):
    """What SMS and WhatsApp share. `origin` is the number or messaging service that sends."""

    # What Twilio writes before a number on this channel.
    prefix: ClassVar[str] = ""
    # One message each. A form has to be read before its signature can be checked, and that costs.
    max_body: ClassVar[int] = 64 * 1024

    def __init__(
        self,
        account: str,
        token: str,
        origin: str,
        public_url: str | None = None,
        url: str = TWILIO_URL,
    ) -> None:
        self._origin = origin.removeprefix("whatsapp:")
        self._public_url = public_url.rstrip("/") if public_url else None
        self._messages = f"{url.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"
        self._validator = RequestValidator(token)
        self._session = requests.Session()
        self._session.auth = (account, token)
        self._session.trust_env = False
        self._told_credentials = False

    def check(self, request: Request) -> None:
        signature = request.headers.get("x-twilio-signature", "")
        try:
            form = twilio_forms.read(request)
            urls = [request.url]
            # Without RAPPORT_PUBLIC_URL, a proxy that ends TLS leaves us with the wrong scheme. To try both
            # gives nobody anything: whoever can sign for one can sign for the other.
            if request.url.startswith("http://"):
                urls.append("https://" + request.url.removeprefix("http://"))
            signed = any(self._validator.validate(url, form, signature) for url in urls)
        except (ValueError, InvalidInputError):  # an odd port in the Host header, a body that is no form
            signed = False
        if not signed:
            raise UnauthorizedError("The signature is missing or wrong.")

    def read(self, request: Request) -> Sequence[Event]:
        form = twilio_forms.read(request)
        message_id = form.first("MessageSid") or form.first("SmsSid")
        if not message_id or len(message_id) > 100:
            raise InvalidInputError("This tells of no message.")
        if status := form.first("MessageStatus"):
            return twilio_forms.report(message_id, status, form.first("ErrorCode"))
        number = form.first("From")
        if not number.startswith(self.prefix) or ":" in number[len(self.prefix) :]:
            raise InvalidInputError(f"From: this address is for {self.name} only.")
        address = number[len(self.prefix) :].strip()
        if not 0 < len(address) <= 100:
            raise InvalidInputError("From: there is no number.")
        return twilio_forms.message(form, self._sender(address), message_id)

    def _sender(self, address: str) -> Sender:
        return Sender(address)

    def send(self, target: Target, part: Part) -> str:
        data = {"To": self.prefix + target.address, **self._from(), **self._content(part)}
        if self._public_url:
            data["StatusCallback"] = f"{self._public_url}/channels/{self.name}"
        return self._sent(call(self._session, "POST", self._messages, data=data))

    def _from(self) -> dict[str, str]:
        if self._origin.startswith("MG"):
            return {"MessagingServiceSid": self._origin}
        return {"From": self.prefix + self._origin}

    def _content(self, part: Part) -> dict[str, str]:
        if part.template is not None:
            if not part.template.name.startswith("HX"):
                raise RefusedError("A template's name must be its content SID at Twilio (HX…).")
            numbered = {str(number): value for number, value in enumerate(part.template.parameters, 1)}
            return {
                "ContentSid": part.template.name,
                **({"ContentVariables": json.dumps(numbered)} if numbered else {}),
            }
        if part.image is not None:
            image = urljoin(f"{self._public_url or ''}/", part.image)
            if not image.startswith(("http://", "https://")):
                raise RefusedError("A picture needs a public address: set RAPPORT_PUBLIC_URL.")
            return {"MediaUrl": image}
        return {"Body": part.text}

    def _sent(self, answer: requests.Response) -> str:
        """The message's id; else raises what Twilio said."""
        said = _json(answer)
        if answer.status_code in (200, 201):
            if isinstance(said.get("sid"), str):
                self._told_credentials = False
                return str(said["sid"])[:200]
            raise InDoubtError
        # Its own words may hold the number.
        code = said.get("code") if isinstance(said.get("code"), int) else 0
        reason = f"Twilio: {answer.status_code}, error {code}"
        if code == WRONG_CREDENTIALS or (answer.status_code in (401, 403) and code not in twilio_forms.GONE):
            self._tell_credentials()
            raise TryAgainError(f"{reason}: RAPPORT_TWILIO_ACCOUNT or _TOKEN is wrong", channel=True)
        if answer.status_code == 429:  # how much an account may ask for at once
            raise TryAgainError(reason, after=retry_after(answer), channel=True)
        if answer.status_code >= 500:
            raise TryAgainError(reason, channel=True)
        raise RefusedError(reason, gone=code in twilio_forms.GONE)

    def _tell_credentials(self) -> None:
        if not self._told_credentials:
            log.error(
                "%s: Twilio does not take RAPPORT_TWILIO_ACCOUNT and RAPPORT_TWILIO_TOKEN. Nothing is sent"
                " until they are right; nothing is lost.",
                self.name,
            )
            self._told_credentials = True

    def acknowledgement(self) -> tuple[str, str]:
        return EMPTY_TWIML, "text/xml"


class TwilioSms(Twilio):
    """SMS. The sender's number can be forged, so it proves nothing."""

    name: ClassVar[str] = "sms"
    limits: ClassVar[Limits] = Limits(text=1600, images=False)
    authenticates: ClassVar[bool] = False


class TwilioWhatsApp(Twilio):
    """WhatsApp; buttons need a template each at Twilio, so they are numbered."""

    name: ClassVar[str] = "whatsapp"
    limits: ClassVar[Limits] = Limits(text=1600, window=timedelta(hours=24))
    prefix: ClassVar[str] = "whatsapp:"

    def _sender(self, address: str) -> Sender:
        # As Meta writes it, without the plus: people stay who they are when a shop changes the way.
        return Sender(address, (address.removeprefix("+"),))


def make_sms(settings: Settings) -> MessagingChannel | None:
    """SMS, if the settings ask for it. Raises ConfigurationError when they do so only in part."""
    account = _account(settings)
    if account is None or not settings.twilio_sms_from:
        return None
    return TwilioSms(*account, settings.twilio_sms_from, settings.public_url, settings.twilio_url)


def make_whatsapp(settings: Settings) -> MessagingChannel | None:
    """WhatsApp through Twilio, if the settings ask for it. Raises ConfigurationError."""
    account = _account(settings)
    if account is None or not settings.twilio_whatsapp_from:
        return None
    return TwilioWhatsApp(*account, settings.twilio_whatsapp_from, settings.public_url, settings.twilio_url)


def _account(settings: Settings) -> tuple[str, str] | None:
    account, token = settings.twilio_account, settings.twilio_token
    sending = settings.twilio_sms_from or settings.twilio_whatsapp_from
    if not (account or token or sending):
        return None
    if not account or not token or not token.get_secret_value():
        raise ConfigurationError(
            "Twilio needs both RAPPORT_TWILIO_ACCOUNT and RAPPORT_TWILIO_TOKEN: without the token nobody can"
            " tell whether a message comes from Twilio. Both stand on the first page of its console."
        )
    if not sending:
        raise ConfigurationError(
            "Twilio is set up, but nothing goes through it: set RAPPORT_TWILIO_SMS_FROM or"
            " RAPPORT_TWILIO_WHATSAPP_FROM."
        )
    return account, token.get_secret_value()


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
