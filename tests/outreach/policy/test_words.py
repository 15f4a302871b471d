"""Whoever asks why we wrote, or did not, is told in their language."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from rapport.customers.rules import CHANNELS
from rapport.kit.languages import LANGUAGES
from rapport.outreach.journeys import definition
from rapport.outreach.journeys import rules as journey_rules
from rapport.outreach.journeys.triggers import KINDS
from rapport.outreach.policy import rules, words
from rapport.outreach.policy.models import ContactDecision

AT = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # the next day in Oslo
WANTED = {
    "sentences": {"wrote", "call", "later", "never"},
    "ways": {*CHANNELS},
    "because": {*KINDS, *(one.trigger.on for one in definition.load_all().values()), words.OTHER},
    "reasons": {*rules.REASONS, *journey_rules.REASONS} - {"allowed"},
}
PLACEHOLDERS = {
    "wrote": {"date", "how", "because"},
    "call": {"date", "because"},
    "later": {"date", "why"},
    "never": {"date", "why"},
}


@pytest.mark.parametrize("section", WANTED)
def test_there_are_words_for_everything_in_each_language(section: str) -> None:
    known = words.texts()[section]
    assert set(known) == WANTED[section]
    assert all(set(said) == {*LANGUAGES} and all(said.values()) for said in known.values())
    for key, said in known.items():
        found = {language: set(re.findall(r"\{(\w+)\}", said[language])) for language in LANGUAGES}
        assert all(one == PLACEHOLDERS.get(key, set()) for one in found.values()), (key, found)


def decision(
    outcome: str, reason: str, channel: str | None = None, journey: str = "welcome"
) -> ContactDecision:
    return ContactDecision(
        customer_id=1, journey=journey, step="s", outcome=outcome, reason=reason, channel=channel, at=AT
    )


@pytest.mark.parametrize(
    ("made", "language", "said"),
    [
        (
            decision("send", "allowed", "email"),
            "en",
            "On 3 March 2026 we wrote to you by e-mail because you had said you would like to hear from us.",
        ),
        (
            decision("send", "allowed", "phone", "gone_since"),
            "nb",
            "Den 3. mars 2026 noterte vi at en av oss skulle ringe deg"
            " fordi du hadde sagt ja til å høre fra oss.",
        ),
        (
            decision("later", "paused"),
            "es",
            "El 3 de marzo de 2026 dejamos un mensaje para más tarde porque pediste una pausa.",
        ),
        (
            decision("never", "bought"),
            "ro",
            "Pe 3 martie 2026 nu ți-am scris pentru că între timp cumpăraseși ceva.",
        ),
    ],
)
def test_a_decision_in_words(made: ContactDecision, language: str, said: str) -> None:
    assert words.sentence(made, language, "Europe/Oslo") == said
