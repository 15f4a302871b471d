"""The page of choices: what it shows of somebody, and what becomes of what they send back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from rapport.customers import choices, contact
from rapport.customers import repository as customers
from rapport.customers.choices import Said
from rapport.customers.mailboxes import mailbox
from rapport.customers.models import Customer
from rapport.customers.rules import MAIL_AFTER, normalise_email, pause_end
from rapport.kit import clock, languages, tokens
from rapport.kit.errors import InvalidInputError
from rapport.kit.format import day, listed
from rapport.kit.settings import get_settings
from rapport.outreach import compose
from rapport.outreach import service as outreach
from rapport.outreach.journeys import service as journeys
from rapport.outreach.policy import service as policy
from rapport.preferences import links, rules, subscribing, texts
from rapport.preferences.links import Link
from rapport.preferences.rules import Consent, Shown
from rapport.shop import repository as shop
from rapport.shop.facts import get_facts

FRESH_LINK = "preference_link"
MOST_TOLD = 10
# Of what they like, the newest are shown: each is two fields of a form.
MOST_TOPICS = 200
_MOST_MERGES = 5


@dataclass(frozen=True)
class Page:
    """All that the page of choices shows of somebody. `address` is masked; `topics` are (key, name)."""

    customer_id: int
    address: str | None
    offered: Sequence[str]
    channels: Sequence[str]
    shown: Shown
    topics: Sequence[tuple[str, str]]
    paused_until: datetime | None


# What was done: the name of a text under `done`, and what is filled in.
Done = tuple[str, dict[str, Any]]


def customer_of(session: Session, link: Link) -> Customer | None:
    """Whom a link stands for by now: whom they were merged into, None when nothing of them is left."""
    customer = customers.get_customer(session, link.subject_id)
    # A number may have been given again, to somebody who came after the link.
    if customer is None or customer.created_at >= link.made_at + timedelta(seconds=1):
        return None
    for _ in range(_MOST_MERGES):
        into = customers.merged_into(session, customer.id)
        if into is None:
            break
        customer = customers.get_customer(session, into)
        if customer is None:
            return None
    # Whom nobody could write to got no link: what they were known by has been erased.
    return customer if customers.identity_kinds_of(session, customer.id) else None


def page(session: Session, customer: Customer, language: str, apps: Collection[str]) -> Page:
    """What they chose so far. `apps`: the messaging apps that are switched on."""
    wishes = contact.wishes(session, customer.id)
    chosen = customers.policy_of(session, customer.id)
    consents = customers.consents_of(session, customer.id)
    kinds = customers.identity_kinds_of(session, customer.id) & {"email", *apps}
    offered = rules.offered_channels(kinds, [consent for consent, granted in consents.items() if granted])
    interests = customers.interests_of(session, customer.id)
    preferred = chosen.preferred_channel if chosen else None
    topics = _topics(session, interests, language)
    return Page(
        customer_id=customer.id,
        address=masked_address(session, customer.id),
        offered=offered,
        channels=rules.liked_or_refused(offered, wishes.refused, preferred),
        shown=Shown(
            consents=frozenset(c for c, granted in consents.items() if granted and c[1] in offered),
            preferred=preferred,
            refused=frozenset(wishes.refused),
            per_month=contact.per_month(session, customer.id),
            interests=frozenset(key for key, _name in topics if key in interests),
            language=customer.language or language,
        ),
        topics=topics,
        paused_until=wishes.paused_until,
    )


def save(
    session: Session, customer: Customer, before: Shown, now: Shown, link: Link, language: str
) -> list[Done]:
    """Do what somebody changed on the page; returns what was done, in the page's language."""
    customers.lock_customer(session, customer.id)
    change, said = rules.change(before, now), _said(link)
    done: list[Done] = []
    if change.withdrawn:
        gone = choices.withdraw(session, customer.id, change.withdrawn, said)
        done += _by_channel("withdrawn", gone, language)
    if change.refused:
        contact.set_channels(session, customer.id, refused=change.refused)
        done.append(("refused", {"channels": _names(change.refused, language)}))
    if change.allowed:
        choices.allow_channels(session, customer.id, change.allowed)
        done.append(("allowed", {"channels": _names(change.allowed, language)}))
    unproven = _unproven_address(session, customer.id)
    by_mail = [purpose for purpose, channel in change.granted if unproven and channel == subscribing.CHANNEL]
    if at_once := [c for c in change.granted if not unproven or c[1] != subscribing.CHANNEL]:
        done += _by_channel("granted", choices.agree(session, customer.id, at_once, said), language)
    if unproven and by_mail:
        done.append(_ask_at(session, unproven, by_mail, link, language))
    if change.preferred is not None:
        choices.prefer(session, customer.id, change.preferred or None)
        named = texts.channel(change.preferred, language) if change.preferred else ""
        done.append(("preferred", {"channel": named}) if change.preferred else ("preferred_none", {}))
    if change.per_month is not None:
        limit = contact.set_frequency(session, customer.id, str(change.per_month))
        done.append(("per_month", {"count": limit}))
    done += _interests(session, customer.id, change.liked, change.disliked, language)
    if change.language is not None:
        customer.language = change.language
        done.append(("language", {"spoken": languages.NAMES[change.language]}))
    session.flush()
    return done


def pause(session: Session, customer_id: int, months: int, language: str) -> list[Done]:
    """Nothing unasked for so many months. Raises InvalidInputError for a time that is not offered."""
    timezone = get_facts().timezone
    until = pause_end(f"P{months}M", clock.now(), timezone) if months in rules.PAUSES else None
    if until is None:
        raise InvalidInputError("There is no such pause.")
    contact.pause(session, customer_id, until)
    return [("paused", {"date": day(until, language, timezone)})]


def resume(session: Session, customer_id: int) -> list[Done]:
    """End the pause."""
    return [("resumed", {})] if contact.resume(session, customer_id) else []


def leave(session: Session, customer_id: int, link: Link) -> None:
    """Unsubscribe from everything."""
    choices.leave(session, customer_id, _said(link))


def say_goodbye(session: Session, customer_id: int, link: Link) -> list[Done]:
    """End all that comes from us unasked, on every channel."""
    choices.say_goodbye(session, customer_id, _said(link))
    journeys.leave(session, customer_id, "said_goodbye")
    return [("goodbye", {}), ("way_back", {})]


def told(session: Session, customer_id: int, language: str) -> list[str]:
    """What we sent them lately unasked, or did not, and why, in words; the newest first."""
    return [said.text for said in policy.told(session, customer_id, language, MOST_TOLD)]


def masked_address(session: Session, customer_id: int) -> str | None:
    """The address our mails to them go to, as only they know it again; None without one."""
    address = _address(session, customer_id)
    return rules.masked(address) if address else None


def send_fresh_link(session: Session, link: Link) -> None:
    """Mail a new link to the address we have of whom an old one stands for."""
    customer = customer_of(session, link)
    address = _address(session, customer.id) if customer else None
    _mail_link(session, customer, address, f"link:{link.subject_id}", link.language)


def send_link_to(session: Session, address: str, language: str) -> None:
    """Mail a link to an address if it is somebody's; the work is the same if it is nobody's.

    Raises InvalidInputError when it is no address.
    """
    email = normalise_email(address)
    if email is None:
        raise InvalidInputError("That is not an e-mail address.")
    identity = customers.find_identity(session, "email", email)
    customer = customers.get_customer(session, identity.customer_id) if identity else None
    _mail_link(session, customer, email, f"address:{mailbox(email)}", language)


def _unproven_address(session: Session, customer_id: int) -> str | None:
    """Where it has to be confirmed that they want mails: at an address that was typed somewhere and never
    shown to be theirs. None when there is one that was.
    """
    return None if policy.mailbox_of(session, customer_id) else _address(session, customer_id)


def _ask_at(session: Session, address: str, purposes: Sequence[str], link: Link, language: str) -> Done:
    subscribing.request(
        session, address, language, source="page", client=link.id, purposes=set(purposes), limited=False
    )
    return "confirm", {"address": rules.masked(address)}


def _mail_link(
    session: Session, customer: Customer | None, address: str | None, name: str, language: str
) -> None:
    """One in an hour at most, for one name."""
    now, settings = clock.now(), get_settings()
    spoken = (customer.language if customer else None) or language
    url = links.preferences_url(settings, customer.id if customer else 0, spoken)
    mail = compose.compose(FRESH_LINK, spoken, link=url, days=links.LIFE["preferences"].days)
    named = tokens.keyed_hash(settings.secret_key.get_secret_value(), FRESH_LINK, name)
    outreach.enqueue(
        session,
        key=f"{FRESH_LINK}:{named[:32]}:{now:%Y%m%d%H}",
        purpose=FRESH_LINK,
        recipient=address if customer is not None else None,
        subject=mail.subject,
        text=mail.text,
        language=spoken,
        not_before=now + MAIL_AFTER,
        expires_at=now + timedelta(days=1),
    )


def _address(session: Session, customer_id: int) -> str | None:
    """The one that unasked mails go to; else any we have."""
    known = policy.mailbox_of(session, customer_id)
    return known or next(iter(customers.addresses_of(session, customer_id)), None)


def _said(link: Link) -> Said:
    return Said(f"page:{link.id}", rules.WORDING)


def _topics(session: Session, interests: Sequence[str], language: str) -> list[tuple[str, str]]:
    """What they like, then the shop's other categories. What has no name any more cannot be shown."""
    keys = dict.fromkeys((*interests[-MOST_TOPICS:], *get_facts().categories))
    named = _names_of(session, keys, language)
    return [(key, named[key]) for key in keys if key in named]


def _names_of(session: Session, topics: Iterable[str], language: str) -> dict[str, str]:
    """What these categories and products are called, in the language or else the shop's."""
    facts, topics = get_facts(), list(topics)
    skus = [topic for topic in topics if topic not in facts.categories]
    named = {
        **shop.product_names(session, facts.language, skus),
        **shop.product_names(session, language, skus),
    }
    return named | {key: name for key in topics if (name := facts.category_name(key, language))}


def _interests(
    session: Session, customer_id: int, liked: Sequence[str], disliked: Sequence[str], language: str
) -> list[Done]:
    known = [topic for topic in liked if topic in get_facts().categories]
    both = (
        ("liked", choices.like(session, customer_id, known, "page")),
        ("disliked", choices.like_no_more(session, customer_id, disliked)),
    )
    named = _names_of(session, [*known, *disliked], language)
    return [
        (what, {"topics": listed([named.get(topic, topic) for topic in topics], language)})
        for what, topics in both
        if topics
    ]


def _by_channel(what: str, consents: Sequence[Consent], language: str) -> list[Done]:
    """One sentence for each channel."""
    channels = dict.fromkeys(channel for _purpose, channel in consents)
    return [
        (
            what,
            {
                "channel": texts.channel(channel, language),
                "what": listed(
                    [texts.purpose(purpose, language) for purpose, where in consents if where == channel],
                    language,
                ),
            },
        )
        for channel in channels
    ]


def _names(channels: Sequence[str], language: str) -> str:
    return listed([texts.channel(channel, language) for channel in channels], language)
