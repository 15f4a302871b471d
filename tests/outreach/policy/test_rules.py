"""Every reason of the contact policy, by a table; and what never happens, whatever the facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rapport.customers.rules import DEFAULT_PER_MONTH
from rapport.outreach.policy import quiet, rules
from rapport.outreach.policy.quiet import Quiet
from rapport.outreach.policy.rules import Consent, Decision, Facts, Manners, Reach, Touch

# A Monday, noon in Oslo.
NOW = datetime(2026, 3, 2, 11, tzinfo=UTC)
OSLO = ("Europe/Oslo",)
CHANNELS = ("email", "whatsapp", "telegram", "sms", "phone")
MANNERS = Manners(
    quiet=Quiet(21 * 60, 9 * 60, frozenset({6})),
    gap=timedelta(days=2),
    cost_minor={"low": 0, "medium": 1000, "high": 5000},
    unknown_worth_minor=2000,
)
NEWS = Touch("news", "first", "newsletter", CHANNELS)
QUESTION = Touch("satisfaction", "ask", None, CHANNELS)


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def days(number: float) -> datetime:
    return NOW + timedelta(days=number)


def yes(at: datetime = NOW - timedelta(days=400)) -> Consent:
    return Consent(1, True, at)


def no(at: datetime = NOW - timedelta(days=300)) -> Consent:
    return Consent(2, False, at)


# Somebody who wants the newsletter by mail and can be reached in two other ways.
ANN = Facts(
    MANNERS,
    OSLO,
    consents={("newsletter", "email"): yes()},
    reach={
        "email": Reach(),
        "phone": Reach(),
        "telegram": Reach(),
        "whatsapp": Reach(window_ends=hours(5)),
    },
)


def decided(touch: Touch = NEWS, now: datetime = NOW, **facts: Any) -> Decision:
    return rules.decide(replace(ANN, **facts), touch, now)


def both(email: Consent, whatsapp: Consent) -> dict[tuple[str, str], Consent]:
    return {("newsletter", "email"): email, ("newsletter", "whatsapp"): whatsapp}


SENT: list[tuple[str, Touch, dict[str, Any], str]] = [
    ("agreed", NEWS, {}, "email"),
    ("the preferred one comes first", NEWS, {"preferred": "whatsapp"}, "whatsapp"),
    ("they moved to another", NEWS, {"preferred": "telegram", "refused": frozenset({"email"})}, "telegram"),
    ("they are called who ask for it", NEWS, {"preferred": "phone", "worth_minor": 9000}, "phone"),
    ("a call costs more than they are worth", NEWS, {"preferred": "phone"}, "email"),
    ("the preferred one bounced", NEWS, {"preferred": "sms"}, "email"),
    ("no to another channel", NEWS, {"consents": both(yes(), no())}, "email"),
    ("no consent needed", QUESTION, {"consents": {}}, "email"),
    ("they refuse others, and agreed to this", QUESTION, {"refused": frozenset({"phone"})}, "email"),
    (
        "they refuse others, and prefer this",
        QUESTION,
        {"consents": {}, "refused": frozenset({"phone"}), "preferred": "telegram"},
        "telegram",
    ),
    ("agreed again after leaving", NEWS, {"left_at": days(-500)}, "email"),
    ("making good again", replace(QUESTION, recovery=True), {"open_complaint": True}, "email"),
    ("a bad word in public, made good", replace(NEWS, recovery=True), {"bad_mention": True}, "email"),
    ("the pause is over", NEWS, {"paused_until": NOW}, "email"),
    ("staff had them long ago", NEWS, {"staff_until": hours(-1)}, "email"),
    ("below the cap", NEWS, {"sent": [days(-3), days(-9), days(-20)]}, "email"),
    ("an alert knows no gap", replace(NEWS, purpose="alerts"), {}, "email"),
    ("worth it", replace(NEWS, cost="high"), {"worth_minor": 5000}, "email"),
    ("not valued yet", replace(NEWS, cost="medium"), {}, "email"),
]
SENT[-3][2].update({"consents": {("alerts", "email"): yes()}, "sent": [hours(-1)]})


@pytest.mark.parametrize(
    ("touch", "facts", "channel"), [row[1:] for row in SENT], ids=[row[0] for row in SENT]
)
def test_sent(touch: Touch, facts: dict[str, Any], channel: str) -> None:
    assert decided(touch, **facts) == Decision("send", "allowed", channel)


WHATSAPP = {"reach": {"whatsapp": Reach(window_ends=hours(-1))}, "preferred": "whatsapp"}
NEVER: list[tuple[str, Touch, dict[str, Any], str]] = [
    ("never asked", NEWS, {"consents": {}}, "no_consent"),
    ("withdrawn", NEWS, {"consents": {("newsletter", "email"): no()}}, "no_consent"),
    ("for something else", NEWS, {"consents": {("tips", "email"): yes()}}, "no_consent"),
    ("left since", NEWS, {"left_at": days(-1)}, "no_consent"),
    ("no to what they prefer", NEWS, {"preferred": "whatsapp", "consents": both(no(), no())}, "no_consent"),
    ("left, and no consent needed", QUESTION, {"consents": {}, "left_at": days(-1)}, "no_consent"),
    ("took all back, and no consent needed", QUESTION, {"consents": both(no(), no())}, "no_consent"),
    ("refused", NEWS, {"refused": frozenset({"email"})}, "refused_channel"),
    ("all refused", QUESTION, {"consents": {}, "refused": frozenset(CHANNELS)}, "refused_channel"),
    ("refused, not got round", QUESTION, {"consents": {}, "refused": frozenset({"sms"})}, "refused_channel"),
    ("no address", NEWS, {"reach": {}}, "no_channel"),
    ("called only who asks for it", QUESTION, {"reach": {"phone": Reach()}}, "no_channel"),
    ("bounced", NEWS, {"reach": {"email": Reach(usable=False)}}, "unreachable"),
    ("not written for a day", NEWS, WHATSAPP, "window_closed"),
    ("costs more than they are worth", replace(NEWS, cost="medium"), {"worth_minor": 999}, "too_costly"),
    ("a dear one for somebody new", replace(NEWS, cost="high"), {}, "too_costly"),
    ("a complaint is open", NEWS, {"open_complaint": True}, "open_complaint"),
    ("a bad word in public", NEWS, {"bad_mention": True}, "bad_mention"),
]


@pytest.mark.parametrize(
    ("touch", "facts", "reason"), [row[1:] for row in NEVER], ids=[row[0] for row in NEVER]
)
def test_never(touch: Touch, facts: dict[str, Any], reason: str) -> None:
    assert decided(touch, **facts) == Decision("never", reason)


def test_a_template_goes_out_after_the_window() -> None:
    assert decided(replace(NEWS, template=True), **WHATSAPP).channel == "whatsapp"


LATER: list[tuple[str, dict[str, Any], datetime, str, datetime]] = [
    ("pause", {"paused_until": days(7)}, NOW, "paused", days(7)),
    ("a pause that ends at night", {"paused_until": hours(12)}, NOW, "paused", hours(21)),
    ("staff", {"staff_until": hours(3)}, NOW, "handled_by_staff", hours(3)),
    ("the cap", {"sent": [days(-10), days(-11), days(-12), days(-13)]}, NOW, "too_many", days(17)),
    ("their own cap", {"per_month": 1, "sent": [days(-9)]}, NOW, "too_many", days(21)),
    ("too soon", {"sent": [days(-1)]}, NOW, "too_many", days(1)),
    ("evening", {}, hours(9), "quiet_hours", hours(21)),
    ("Sunday", {}, days(-1), "quiet_hours", hours(-3)),
    ("Saturday evening", {}, days(-2) + timedelta(hours=9), "quiet_hours", hours(-3)),
    ("not there yet", {"zones": ("America/New_York",)}, NOW, "quiet_hours", hours(3)),
    ("several", {"paused_until": hours(1), "sent": [days(-1)]}, NOW, "paused", days(1)),
]


@pytest.mark.parametrize(
    ("facts", "now", "reason", "until"), [row[1:] for row in LATER], ids=[row[0] for row in LATER]
)
def test_later(facts: dict[str, Any], now: datetime, reason: str, until: datetime) -> None:
    assert decided(now=now, **facts) == Decision("later", reason, until=until)


def test_every_reason_is_tested() -> None:
    tested = {row[3] for row in NEVER} | {row[3] for row in LATER} | {"allowed"}
    assert tested == set(rules.REASONS)


def test_reasons_come_in_their_order() -> None:
    """Each obstacle is told as long as those before it in the order are out of the way."""
    wrong: dict[str, dict[str, Any]] = {
        "quiet_hours": {"zones": ("America/New_York",)},
        "too_many": {"sent": [days(-1)]},
        "handled_by_staff": {"staff_until": hours(3)},
        "paused": {"paused_until": days(7)},
        "bad_mention": {"bad_mention": True},
        "open_complaint": {"open_complaint": True},
        "too_costly": {"worth_minor": -1},
        "window_closed": {"reach": {"email": Reach(window_ends=hours(-1))}},
        "unreachable": {"reach": {"email": Reach(usable=False)}},
        "no_channel": {"reach": {}},
        "refused_channel": {"refused": frozenset(CHANNELS)},
        "no_consent": {"consents": {}},
    }
    facts: dict[str, Any] = {}
    for reason, worse in wrong.items():
        facts |= worse
        assert decided(**facts).reason == reason
    assert [*wrong] == [*reversed(rules.REASONS[1:])]


# --- whatever the facts ------------------------------------------------------------------------------------

MOMENTS = st.integers(0, 365 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
AROUND = st.integers(-40 * 24, 40 * 24).map(hours)
PURPOSES = st.sampled_from(["newsletter", "alerts", None])
SOME = st.sampled_from(CHANNELS)
CONSENTS = st.builds(Consent, st.integers(1, 9), st.booleans(), AROUND)
ZONES = st.sampled_from(
    [OSLO, ("America/New_York",), ("Pacific/Auckland",), quiet.zones_in("US"), quiet.zones_in("ES")]
)
QUIET = st.builds(
    Quiet,
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.frozensets(st.integers(0, 6), max_size=3),
).filter(lambda one: (one.ends - one.begins) % 1440 <= 12 * 60)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Facts, Touch]:
    touch = Touch(
        "j",
        "s",
        draw(PURPOSES),
        tuple(draw(st.permutations(CHANNELS))),
        draw(st.sampled_from(["low", "medium", "high"])),
        draw(st.booleans()),
        draw(st.booleans()),
    )
    refused = draw(st.frozensets(SOME, max_size=2))
    facts = Facts(
        manners=replace(MANNERS, quiet=draw(QUIET)),
        zones=draw(ZONES),
        consents=draw(
            st.dictionaries(st.tuples(st.sampled_from(["newsletter", "alerts"]), SOME), CONSENTS, max_size=4)
        ),
        left_at=draw(st.none() | AROUND),
        preferred=draw(st.none() | SOME.filter(lambda one: one not in refused)),
        refused=refused,
        reach=draw(
            st.dictionaries(SOME, st.builds(Reach, st.booleans(), st.none() | AROUND), min_size=3, max_size=5)
        ),
        paused_until=draw(st.none() | AROUND),
        per_month=draw(st.integers(1, DEFAULT_PER_MONTH)),
        sent=draw(st.lists(st.integers(0, 30 * 24 - 1).map(lambda ago: hours(-ago)), max_size=5)),
        open_complaint=draw(st.booleans()),
        bad_mention=draw(st.booleans()),
        staff_until=draw(st.none() | AROUND),
        worth_minor=draw(st.none() | st.integers(0, 10_000)),
    )
    return facts, touch


@given(situations(), st.integers(0, 7 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes)))
def test_what_never_happens(situation: tuple[Facts, Touch], now: datetime) -> None:
    facts, touch = situation
    decision = rules.decide(facts, touch, now)
    assert decision.reason in rules.REASONS
    assert (decision.until is not None) == (decision.outcome == "later")
    if decision.outcome != "send":
        assert decision.channel is None and decision.reason != "allowed"
        return
    channel = decision.channel
    assert channel in touch.channels and channel not in facts.refused
    assert facts.reach[channel].usable
    assert not any(quiet.is_quiet(facts.manners.quiet, [zone], now) for zone in facts.zones)
    assert facts.paused_until is None or facts.paused_until <= now
    recent = [at for at in facts.sent if at > now - timedelta(days=30)]
    assert len(recent) < facts.per_month
    assert touch.recovery or not (facts.open_complaint or facts.bad_mention)
    granted = {
        key: one
        for key, one in facts.consents.items()
        if one.granted and (facts.left_at is None or one.at >= facts.left_at)
    }
    if touch.purpose is not None:
        here = facts.consents.get((touch.purpose, channel))
        assert (touch.purpose, channel) in granted or (
            here is None and channel == facts.preferred and any(of == touch.purpose for of, _ in granted)
        )
    else:
        assert granted or (facts.left_at is None and not facts.consents)
    if facts.refused and touch.purpose is None:  # not got round
        assert channel == facts.preferred or any(on == channel for _, on in granted)
    assert channel != "phone" or facts.preferred == "phone"


@given(situations(), st.integers(0, 7 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes)))
def test_what_is_put_off_is_decided_then(situation: tuple[Facts, Touch], now: datetime) -> None:
    facts, touch = situation
    decision = rules.decide(facts, touch, now)
    if decision.until is not None:
        assert decision.until > now
        assert rules.decide(facts, touch, decision.until).outcome != "later"


@given(QUIET, ZONES, MOMENTS)
@example(Quiet(21 * 60, 150), OSLO, datetime(2026, 3, 29, 0, 15, tzinfo=UTC))  # 2:30 is not on that clock
@example(Quiet(21 * 60, 150), OSLO, datetime(2026, 10, 25, 0, 15, tzinfo=UTC))  # 2:30 is there twice
def test_quiet_ends(hushed: Quiet, zones: tuple[str, ...], at: datetime) -> None:
    end = quiet.over(hushed, zones, at)
    assert end >= at
    assert (end == at) == (not quiet.is_quiet(hushed, zones, at))
    if quiet.is_quiet(hushed, zones, end):
        # No moment suits all of the country's zones: then the first one counts alone.
        assert len(zones) > 1 and not quiet.is_quiet(hushed, zones[:1], end)
    else:
        # Where the hour that it ends in is left out, it ends an hour later at most.
        before = [end - timedelta(minutes=minutes) for minutes in (1, 60)]
        assert end == at or any(quiet.is_quiet(hushed, zones, moment) for moment in before)


@pytest.mark.parametrize(
    ("timezone", "country", "zones"),
    [
        ("America/Lima", "NO", ("America/Lima",)),
        (None, "RO", ("Europe/Bucharest",)),
        (None, "de", ("Europe/Berlin",)),
        (None, "ES", ("Africa/Ceuta", "Atlantic/Canary")),  # Ceuta shows Madrid's time
        ("Mars/Olympus", None, OSLO),
        (None, "Atlantis", OSLO),
        (None, None, OSLO),
    ],
)
def test_whose_clock_counts(timezone: str | None, country: str | None, zones: tuple[str, ...]) -> None:
    assert quiet.zones_of(timezone, country, "Europe/Oslo") == zones
