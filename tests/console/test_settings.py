"""The shop's facts in the console: forms, previews, mistakes, history, and who may."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, select

from rapport.edits import repository, service
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.shop.facts import SECTIONS, get_facts
from rapport.staff.models import AuditEvent
from tests.actions.conftest import new_chat
from tests.console.client import StaffClient
from tests.console.conftest import Logged

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
FIELD = re.compile(
    r'<input(?=[^>]* name="(?P<name>[^"]+)")(?=[^>]* value="(?P<value>[^"]*)")(?P<all>[^>]*)>'
    r'|<textarea name="(?P<area>[^"]+)"[^>]*>(?P<text>[^<]*)</textarea>'
    r'|<select name="(?P<select>[^"]+)"[^>]*>.*?<option value="(?P<chosen>[^"]*)" selected>'
)


def form(page: str) -> dict[str, Any]:
    """What stands in the fields of a page's form; of boxes, a list of those that are ticked."""
    main = page.partition("<main")[2]
    found: dict[str, Any] = {}
    for match in FIELD.finditer(main):
        name = match["name"] or match["area"] or match["select"]
        value = unescape(match["value"] or match["text"] or match["chosen"] or "")
        if 'type="checkbox"' not in (match["all"] or ""):
            found[name] = value
        elif " checked" in match["all"]:
            found[name] = [*found.get(name, []), value]
    return found


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """Forms are the same on both databases; what they save is tried on both in tests/edits/."""
    return sqlite_engine


@pytest.fixture
def mia(log_in: Logged) -> StaffClient:
    return log_in("manager")


def test_what_is_shown_can_be_saved_as_it_is(mia: StaffClient) -> None:
    before = get_facts()
    for section in SECTIONS:
        fields = form(mia.page(f"/console/settings/{section}"))
        answer = mia.post(f"/console/settings/{section}", **{**fields, "do": "save"})
        assert "Saved." in answer.text, section
        assert "Version 1" in mia.text(f"/console/settings/{section}/history")
    assert get_facts() == before


def test_a_changed_price_is_what_the_bot_says_next(
    log_in: Logged, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapport.kit.database.get_engine", lambda: engine)
    mia, path = log_in("manager", "nb"), "/console/settings/delivery"
    said = new_chat(engine).run("action_delivery_options").texts("en")[0]
    assert "NOK 99," in said.replace("\N{NO-BREAK SPACE}", " ")
    fields = form(mia.page(path)) | {"0.price_minor": "49,90", "note": "Cheaper in winter"}
    seen = mia.post(path, **{**fields, "do": "preview"}).text
    assert "49,90" in seen
    assert "NOK\N{NO-BREAK SPACE}49.90" in seen, "in English as well"
    assert get_facts().delivery[0].price_minor == 9900, "a preview saves nothing"
    mia.post(path, **{**fields, "do": "save"})
    said = new_chat(engine).run("action_delivery_options").texts("en")[0]
    assert "NOK\N{NO-BREAK SPACE}49.90" in said
    told = mia.text(f"{path}/history")
    assert "Cheaper in winter" in told
    assert "Mia Manager" in told
    with read_scope(engine) as session:
        actions = session.scalars(select(AuditEvent.action).where(AuditEvent.subject == "settings")).all()
    assert actions == ["change settings"]


def test_mistakes_are_shown_at_their_fields_and_nothing_is_lost(mia: StaffClient, engine: Engine) -> None:
    path = "/console/settings/delivery"
    typed = {
        "0.price_minor": "cheap",
        "0.max_days": "1",
        "1.text.nb": "",
        "1.text.ro": "{price.__class__}",
        "2.min_days": HOSTILE,
    }
    answer = mia.post(path, **{**form(mia.page(path)), **typed, "do": "save"})
    assert answer.status_code == 422
    for name in ("0.price_minor", "1.text.nb", "1.text.ro", "2.min_days"):
        assert f'id="mistake-{name}"' in answer.text, name
    assert "There is no placeholder {price.__class__}" in answer.text
    assert form(answer.text) | typed == form(answer.text)
    assert "<script>alert" not in answer.text
    with read_scope(engine) as session:
        assert repository.newest(session, "delivery") is None


WRONG = (
    ("hours", {"mon.0.opens": "19:00"}, "mon"),
    ("hours", {"mon.0.closes": ""}, "mon"),
    ("hours", {"0.first": ""}, "0"),
    ("hours", {"rows": "nonsense", "sat.0.opens": "x"}, "sat"),
    ("contact", {"email": "nobody"}, "email"),
    ("contact", {"phone": HOSTILE}, "phone"),
    ("payment", {"0.name.es": "{name}"}, "0.name.es"),
    ("refunds", {"days": "-1"}, "days"),
    ("refunds", {"how.nb": ""}, "how.nb"),
    ("club", {"per_minor": "0"}, "per_minor"),
    ("club", {"points": ""}, "points"),
    ("club", {"tier_days": "-1"}, "tier_days"),
    ("club", {"expires_after_days": "999999999"}, "expires_after_days"),
    ("club", {"1.name.ro": ""}, "1.name.ro"),
    ("club", {"0.from_points": "1"}, ""),
    ("club", {"2.from_points": "500"}, ""),
)


def test_what_makes_no_sense_is_refused(mia: StaffClient) -> None:
    for section, typed, place in WRONG:
        path = f"/console/settings/{section}"
        answer = mia.post(path, **{**form(mia.page(path)), **typed, "do": "save"})
        assert answer.status_code == 422, (section, typed)
        assert f'id="mistake-{place}"' in answer.text, (section, typed)


def test_rows_are_added_moved_and_removed(mia: StaffClient) -> None:
    path = "/console/settings/payment"
    fields = form(mia.page(path))
    fields = form(mia.post(path, **{**fields, "do": "add"}).text)
    fields |= {f"4.name.{code}": f"Klarna & {HOSTILE}" for code in ("en", "es", "nb", "ro")}
    fields = form(mia.post(path, **{**fields, "do": "up.4"}).text)
    assert fields["3.name.en"].startswith("Klarna")
    fields = form(mia.post(path, **{**fields, "do": "remove.0"}).text)
    answer = mia.post(path, **{**fields, "do": "save"})
    assert HOSTILE not in answer.text
    assert [method.key for method in get_facts().payment_methods][:2] == ["vipps", "paypal"]
    assert get_facts().payment_names("nb")[2] == f"Klarna & {HOSTILE}"


def test_hours_are_told_in_words_before_they_are_saved(mia: StaffClient) -> None:
    path = "/console/settings/hours"
    fields = form(mia.page(path)) | {"sat.0.opens": "10:00", "sat.0.closes": "00:00"}
    seen = mia.post(path, **{**fields, "do": "preview"}).text
    for said in ("Saturday, 10 am to midnight", "sábados, de 10:00 a 24:00", "lørdag kl. 10–24", "sâmbătă"):
        assert said in seen, said
    mia.post(path, **{**fields, "do": "save"})
    assert "lørdag kl. 10–24" in get_facts().opening_hours("nb")


def test_levels_of_the_club_are_named_added_and_kept_while_an_offer_is_for_them(mia: StaffClient) -> None:
    path = "/console/settings/club"
    fields = form(mia.page(path))
    assert (fields["per_minor"], fields["0.from_points"]) == ("10", "0")
    fields = form(mia.post(path, **{**fields, "do": "add"}).text)
    fields |= {f"3.name.{code}": f"Peak {HOSTILE}" for code in ("en", "es", "nb", "ro")}
    fields |= {"3.from_points": "5000", "point_value_minor": "0,5", "1.name.nb": "Høyfjell"}
    seen = mia.post(path, **{**fields, "do": "preview"}).text
    assert "Høyfjell. 1\N{NO-BREAK SPACE}000 poeng til" in seen
    assert "<script>alert" not in seen
    mia.post(path, **{**fields, "do": "save"})
    club = get_facts().club
    assert [tier.key for tier in club.tiers][:3] == ["trail", "ridge", "summit"], "keys stay"
    assert (club.tiers[3].from_points, club.point_value_minor) == (5000, 50)
    # An offer for the new level keeps it from being taken away, and from a version without it.
    new, offer = club.tiers[3].key, "/console/settings/offers/loyal"
    mia.post(offer, **{**form(mia.page(offer)), "tiers": [new], "do": "save"})
    without = form(mia.post(path, **{**form(mia.page(path)), "do": "remove.3"}).text)
    refused = mia.post(path, **{**without, "do": "save"})
    assert refused.status_code == 422
    assert "“Loyal customers” is for a level that would be gone" in refused.text
    assert mia.post(f"{path}/restore", version="0", base="1").status_code == 409
    assert [rule.audience.tiers for rule in get_rulebook().offers if rule.key == "loyal"] == [(new,)]
    mia.post(f"{offer}/restore", version="0", base="1")
    mia.post(path, **{**without, "do": "save"})
    assert len(get_facts().club.tiers) == 3


def test_the_second_of_two_editors_is_told_and_nothing_is_overwritten(mia: StaffClient) -> None:
    path = "/console/settings/contact"
    first = form(mia.page(path))
    mia.post(path, **{**first, "phone": "+47 1", "do": "save"})
    answer = mia.post(path, **{**first, "phone": "+47 2", "do": "save"})
    assert answer.status_code == 409
    assert "nothing was saved" in answer.text
    assert form(answer.text)["phone"] == "+47 2"
    assert get_facts().contact.phone == "+47 1"


def test_an_earlier_version_and_the_file_come_back(mia: StaffClient) -> None:
    path, file = "/console/settings/contact", get_facts().contact
    for phone in ("+47 1", "+47 2"):
        mia.post(path, **{**form(mia.page(path)), "phone": phone, "do": "save"})
    mia.post(f"{path}/restore", version="1", base="2")
    assert get_facts().contact.phone == "+47 1"
    assert mia.post(f"{path}/restore", version="2", base="2").status_code == 409
    mia.post(f"{path}/restore", version="0", base="3")
    assert get_facts().contact == file
    told = mia.text(f"{path}/history")
    assert "Version 4 counts now" in told
    assert "As in version 1" in told


def test_an_edit_that_fits_no_more_is_told_on_the_pages(mia: StaffClient, engine: Engine) -> None:
    with session_scope(engine) as session:
        service.save(session, "refunds", 0, {"days": HOSTILE}, None)
    for path in ("/console/settings", "/console/settings/refunds"):
        page = mia.page(path)
        assert "fit the" in page
        assert "<script>alert" not in page
    path = "/console/settings/refunds"
    mia.post(path, **{**form(mia.page(path)), "days": "14", "do": "save"})
    assert get_facts().refunds.days == 14


def test_unknown_sections_are_not_there(mia: StaffClient, app: FastAPI) -> None:
    assert mia.get("/console/settings/valuation").status_code == 404
    assert mia.post("/console/settings/contact/restore", version="7", base="0").status_code == 404


def test_an_agent_does_not_get_in(log_in: Logged) -> None:
    ada = log_in("agent")
    assert ada.get("/console/settings").status_code == 403
    assert ada.post("/console/settings/contact", email="a@b.example", phone="1").status_code == 403
    assert "/console/settings" not in ada.page("/console/account")
