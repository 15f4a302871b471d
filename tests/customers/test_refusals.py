"""What two records of one person want together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rapport.customers.refusals import Consent, Consents, Policy, consents_to_end, policy_of_both

NEWS, OFFERS = ("newsletter", "email"), ("offers", "telegram")
SOON, LATER = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("own", "theirs", "ended"),
    [
        (Consents({}), Consents({}), []),
        (Consents({NEWS: True}), Consents({}), []),
        (Consents({NEWS: True}), Consents({NEWS: True}), []),
        (Consents({NEWS: True}), Consents({NEWS: False}), [NEWS]),
        (Consents({NEWS: False}), Consents({NEWS: True}), [NEWS]),
        (Consents({NEWS: True}), Consents({OFFERS: False}), []),
        (Consents({NEWS: True, OFFERS: True}), Consents({}, stopped=True), [NEWS, OFFERS]),
        (Consents({}, stopped=True), Consents({OFFERS: True}), [OFFERS]),
        # Who said STOP and agreed to something since wants that, and nothing else.
        (Consents({NEWS: True, OFFERS: True}), Consents({NEWS: True}, stopped=True), [OFFERS]),
        (Consents({NEWS: True}, stopped=True), Consents({}), []),
    ],
)
def test_a_no_of_either_is_a_no(own: Consents, theirs: Consents, ended: list[Consent]) -> None:
    assert consents_to_end(own, theirs) == ended
    assert consents_to_end(theirs, own) == ended


@pytest.mark.parametrize(
    ("own", "theirs", "both"),
    [
        (Policy(), Policy(), Policy()),
        (Policy("sms"), Policy("telegram"), Policy("sms")),
        (Policy(), Policy("telegram"), Policy("telegram")),
        (Policy("sms"), Policy("telegram", ("sms",)), Policy("telegram", ("sms",))),
        (Policy("sms"), Policy(None, ("sms",)), Policy(None, ("sms",))),
        (
            Policy(None, ("email", "sms")),
            Policy(None, ("sms", "phone")),
            Policy(None, ("email", "sms", "phone")),
        ),
        (Policy(None, (), 8), Policy(None, (), 1), Policy(None, (), 1)),
        (Policy(), Policy(None, (), 2), Policy(None, (), 2)),
        (Policy(paused_until=LATER), Policy(paused_until=SOON), Policy(paused_until=LATER)),
        (Policy(), Policy(paused_until=SOON), Policy(paused_until=SOON)),
    ],
)
def test_how_both_want_to_be_contacted(own: Policy, theirs: Policy, both: Policy) -> None:
    assert policy_of_both(own, theirs) == both
