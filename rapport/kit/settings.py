"""Every setting, its default and what it does. Read from the environment and `.env`, nowhere else.

`.env.example` lists the same settings; tests/kit/test_settings.py holds the two together.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rapport.kit.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
MINIMUM_SECRET_LENGTH = 32


class Settings(BaseSettings):
    """Settings of one installation; each is the environment variable RAPPORT_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="RAPPORT_", env_file=ROOT / ".env", extra="ignore")

    secret_key: SecretStr = Field(
        description="Keys the hashes of tokens and one-time codes. `rapport up` writes a random one to .env."
    )
    bot_secret: SecretStr = Field(
        description="Shared by the app and Rasa on each call between them. `rapport up` writes a random one."
    )
    identity_secret: SecretStr | None = Field(
        default=None,
        description="HS256 key the host site signs `identity_token` with; without it no such token is taken.",
    )
    woocommerce_secret: SecretStr | None = Field(
        default=None,
        description="Secret of the shop's WooCommerce webhooks; without it they are not taken.",
    )
    shopify_secret: SecretStr | None = Field(
        default=None,
        description="Client secret that Shopify signs its webhooks with; without it they are not taken.",
    )
    shopify_shop: str = Field(
        default="",
        description="Domain of the shop at Shopify (….myshopify.com): webhooks of another are refused.",
    )
    verified_email_sources: str = Field(
        default="shopify",
        description="Sources, comma-separated, whose accounts' addresses are proven to be their owner's: a"
        " new account there is the customer who has its address. Others become customers of their own.",
    )
    # Messaging apps: Telegram
    telegram_token: SecretStr | None = Field(
        default=None, description="Token of the shop's bot, from @BotFather; switches Telegram on."
    )
    telegram_secret: SecretStr | None = Field(
        default=None,
        description="What Telegram shows us with each call; 32 to 256 of A–Z, a–z, 0–9, _ and -.",
    )
    telegram_bot: str = Field(
        default="", description="User name of the bot, for links to it. Without it Telegram is asked."
    )
    telegram_url: str = Field(
        default="https://api.telegram.org", description="Where Telegram's Bot API is; another in tests."
    )

    # Messaging apps: WhatsApp and Messenger (Meta)
    meta_app_secret: SecretStr | None = Field(
        default=None,
        description="Secret of the Meta app, which signs what WhatsApp and Messenger bring.",
    )
    meta_verify_token: SecretStr | None = Field(
        default=None,
        description="Any words of yours; Meta says them when it asks whether a webhook's address is ours.",
    )
    meta_url: str = Field(
        default="https://graph.facebook.com", description="Where Meta's Graph API is; another in tests."
    )
    whatsapp_token: SecretStr | None = Field(
        default=None, description="Access token of the WhatsApp Cloud API; switches WhatsApp on."
    )
    whatsapp_phone_id: str = Field(
        default="", description="Meta's id of the shop's number on WhatsApp (not the number itself)."
    )
    whatsapp_number: str = Field(
        default="", description="That number itself, for links from the website; without it there are none."
    )
    messenger_token: SecretStr | None = Field(
        default=None, description="Access token of the shop's Facebook page; switches Messenger on."
    )
    messenger_page: str = Field(default="", description="Id of the shop's Facebook page.")

    # What is said of the shop in public
    mastodon_url: str = Field(
        default="", description="Server of the shop's account on Mastodon, e.g. https://mastodon.social"
    )
    mastodon_token: SecretStr | None = Field(
        default=None, description="Access token of that account; switches mentions on Mastodon on."
    )
    mastodon_search: str = Field(
        default="",
        description="Hashtags (#fjordly) and words, comma-separated, whose public posts are looked at too.",
    )
    facebook_token: SecretStr | None = Field(
        default=None,
        description="Access token of the shop's Facebook page; switches comments on its posts on.",
    )
    facebook_page: str = Field(default="", description="Id of that page.")
    mentions_secret: SecretStr | None = Field(
        default=None,
        description="Other services sign mentions with it; 32 characters or more. Without it none are taken.",
    )

    # Messaging apps: SMS and WhatsApp through Twilio
    twilio_account: str | None = Field(
        default=None, description="Account SID at Twilio (AC…); SMS and WhatsApp through Twilio need it."
    )
    twilio_token: SecretStr | None = Field(
        default=None, description="Auth token of the Twilio account. Twilio signs what it sends us with it."
    )
    twilio_sms_from: str | None = Field(
        default=None,
        description="Number (+47…) or messaging service (MG…) that SMS come from; without it there are none.",
    )
    twilio_whatsapp_from: str | None = Field(
        default=None,
        description="WhatsApp number (+47…) or messaging service (MG…) at Twilio; without it there is none.",
    )
    twilio_url: str = Field(default="https://api.twilio.com", description="Address of Twilio's API.")

    # Mail that comes in
    imap_host: str | None = Field(
        default=None,
        description="IMAP server of the mailbox whose mails the bot answers; without it none are read.",
    )
    imap_port: int = Field(default=993, ge=1, le=65535, description="Port of the IMAP server.")
    imap_user: str | None = Field(default=None, description="User name at the IMAP server.")
    imap_password: SecretStr | None = Field(default=None, description="Password at the IMAP server.")
    imap_security: str = Field(default="tls", description="tls, starttls or none.")
    imap_folder: str = Field(default="INBOX", description="Folder of the mailbox that is read.")

    database_url: str = Field(
        default=f"sqlite:///{ROOT / 'var' / 'rapport.db'}",
        description="SQLAlchemy URL of the database: sqlite:///… or postgresql+psycopg://…",
    )
    tracker_url: str = Field(
        default=f"sqlite:///{ROOT / 'var' / 'tracker.db'}",
        description="SQLAlchemy URL of Rasa's own tracker database: sqlite:///… or postgresql://…",
    )
    host: str = Field(default="127.0.0.1", description="Address the app listens on.")
    port: int = Field(default=8080, ge=1, le=65535, description="Port the app listens on.")
    rasa_port: int = Field(default=5005, ge=1, le=65535, description="Port of Rasa, always on loopback.")
    public_url: str | None = Field(
        default=None, description="The address customers reach the app at, for links in mails."
    )
    allowed_origins: str = Field(
        default="*",
        description="Origins whose pages may embed the widget, comma-separated, or *. No cookies are used.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses of reverse proxies whose X-Forwarded-For is believed, comma-separated.",
    )
    handoff_minutes: int = Field(
        default=10,
        ge=1,
        le=24 * 60,
        description="After how many minutes a customer who waits for a person is told that nobody came.",
    )
    rate_limits: bool = Field(
        default=True, description="Limit messages per conversation and address; off only for benchmarks."
    )
    background: bool = Field(
        default=True,
        description="Whether the app sends mails and runs jobs itself; off where `rapport worker` does.",
    )
    shop_file: Path = Field(default=ROOT / "shop.yml", description="The shop's facts in four languages.")
    offers_file: Path = Field(default=ROOT / "offers.yml", description="The shop's offers and their rules.")
    knowledge_dir: Path = Field(
        default=ROOT / "knowledge", description="Answers to what customers ask, in four languages."
    )
    project_dir: Path = Field(
        default=ROOT,
        description="Where config.yml, domain.yml, data/ and tests/nlu/held_out/ of the bot are.",
    )
    models_dir: Path = Field(default=ROOT / "models", description="Where trained models are kept.")
    var_dir: Path = Field(default=ROOT / "var", description="Where databases, mails and logs are kept.")
    demo: bool = Field(default=True, description="Load and show the demo shop when the database is empty.")
    smtp_host: str | None = Field(
        default=None,
        description="Mail server. Without it mails are written to var/mail and shown at /dev/mail.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_user: str | None = Field(
        default=None, description="User name at the mail server, if it asks for one."
    )
    smtp_password: SecretStr | None = Field(default=None, description="Password at the mail server.")
    smtp_security: str = Field(default="starttls", description="starttls, tls or none.")
    mail_from: str = Field(
        default="Fjordly <hello@fjordly.example>", description="Sender of the shop's mails: Name <address>."
    )
    mail_return_path: str | None = Field(
        default=None,
        description="Where mails come back to that cannot be delivered, the sender if unset. A + before"
        " the @ takes each mail's id. It must lead to the mailbox of RAPPORT_IMAP_….",
    )
    dkim_domain: str = Field(
        default="", description="Domain that signs the shop's mails (DKIM), that of the sender."
    )
    dkim_selector: str = Field(
        default="", description="Selector of the key: its public part is at <selector>._domainkey.<domain>."
    )
    dkim_key_file: str = Field(
        default="", description="PEM file of the private key that signs mails, RSA or Ed25519."
    )

    # Staff who log in at an OpenID provider
    oidc_issuer: str = Field(
        default="", description="Address of the OpenID provider at which staff may log in; https."
    )
    oidc_client_id: str = Field(default="", description="What this installation is called at the provider.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Secret that the provider gave to this installation."
    )
    oidc_label: str = Field(
        default="", description="What the button on the login page calls the provider; else its host name."
    )

    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("secret_key", "bot_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < MINIMUM_SECRET_LENGTH:
            raise ValueError(f"needs at least {MINIMUM_SECRET_LENGTH} characters")
        return value

    @field_validator("mentions_secret")
    @classmethod
    def _long_enough_if_set(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and 0 < len(value.get_secret_value()) < MINIMUM_SECRET_LENGTH:
            raise ValueError(f"needs at least {MINIMUM_SECRET_LENGTH} characters")
        return value

    @field_validator("smtp_security", "imap_security")
    @classmethod
    def _known_security(cls, value: str) -> str:
        if value not in {"starttls", "tls", "none"}:
            raise ValueError("must be starttls, tls or none")
        return value

    @field_validator("mail_return_path")
    @classmethod
    def _one_address(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"[!-9;=?A-~]{1,30}@[A-Za-z0-9.-]{1,200}", value):
            raise ValueError("must be an address, without a name")
        return value or None

    def has_verified_emails(self, source: str) -> bool:
        """Whether the addresses of this source's accounts are proven to be their owner's."""
        return source in {name.strip() for name in self.verified_email_sources.split(",")}

    @property
    def base_url(self) -> str:
        """Where browsers reach the app, without a slash at the end; without `public_url`, on this machine."""
        local = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104
        host = f"[{local}]" if ":" in local else local
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def rasa_url(self) -> str:
        """Rasa's base address; it is never anywhere but on loopback."""
        return f"http://127.0.0.1:{self.rasa_port}"


@cache
def get_settings() -> Settings:
    """The process's settings, read once.

    Raises ConfigurationError with one line per wrong setting.
    """
    try:
        return Settings.model_validate({})
    except ValidationError as error:
        lines = [
            f"RAPPORT_{name.upper()}: {item['msg']}{_what_it_is(name) if item['type'] == 'missing' else ''}"
            for item in error.errors()
            for name in ["_".join(str(part) for part in item["loc"])]
        ]
        raise ConfigurationError("Settings are wrong (see .env.example):\n  " + "\n  ".join(lines)) from None


def _what_it_is(name: str) -> str:
    field = Settings.model_fields.get(name)
    return f". {field.description}" if field else ""
