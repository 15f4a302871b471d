"""Canned replies and answers in the console."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from rapport.edits import service as edits
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.replies import service as replies
from rapport.shop.facts import get_facts
from rapport.shop.knowledge import get_knowledge
from rapport.shop.models import Product, ProductText
from tests.console.client import StaffClient
from tests.console.conftest import Logged
from tests.console.test_settings import HOSTILE, form


@pytest.fixture
def mia(log_in: Logged) -> StaffClient:
    return log_in("manager")


def test_a_reply_from_its_preview_to_the_archive(mia: StaffClient, engine: Engine) -> None:
    path = "/console/settings/replies"
    assert "No canned replies yet" in mia.page(path)
    typed = {"title": HOSTILE, "shortcut": "/Hi", "en": f"Hi {{name}} {HOSTILE}", "nb": "Hei {name}"}
    seen = mia.post(f"{path}/new", **typed, do="preview").text
    assert "Hei Ana" in seen
    assert "<script>alert" not in seen
    listed = mia.post(f"{path}/new", **typed, do="save").text
    assert "missing: es, ro" in listed
    assert "<script>alert" not in listed
    assert mia.post(f"{path}/new", **typed, do="save").status_code == 422, "the shortcut is taken"
    with read_scope(engine) as session:
        [number] = [reply.id for reply in replies.offered(session)]
    one = f"{path}/{number}"
    fields = form(mia.page(one))
    assert fields["en"] == typed["en"]
    mia.post(one, **{**fields, "ro": "Bună {name}", "do": "save"})
    assert mia.post(one, **{**fields, "ro": "Salut", "do": "save"}).status_code == 409
    answer = mia.post(one, **{**fields, "title": "", "shortcut": "?", "es": "{evil.__class__}", "do": "save"})
    assert answer.status_code == 422
    assert answer.text.count('class="mistake"') == 3
    mia.post(f"{one}/restore", version="1", base="2")
    with read_scope(engine) as session:
        assert set(replies.get(session, number).texts) == {"en", "nb"}
    assert mia.post(f"{one}/restore", version="1", base="2").status_code == 409
    mia.post(f"{one}/restore", version="2", base="3")
    told = mia.page(f"{one}/history")
    assert "Version 4" in told
    assert "<script>alert" not in told
    mia.post(one, **{**form(mia.page(one)), "shortcut": "hello", "do": "save"})
    mia.post(f"{path}/new", **typed, do="save")
    taken = mia.post(f"{one}/restore", version="4", base="5")
    assert taken.status_code == 409
    assert "Another reply has this shortcut already." in taken.text
    with session_scope(engine) as session:
        session.delete(replies.get(session, number + 1))
    mia.post(f"{one}/archive", base="5")
    with read_scope(engine) as session:
        assert replies.offered(session) == []
        assert replies.archived(session)[0].texts["ro"] == "Bună {name}"
    mia.post(f"{one}/archive", base="6", back="yes")
    mia.post(f"{one}/up")
    with read_scope(engine) as session:
        assert [found.id for found in replies.offered(session)] == [number]


def test_care_tips_are_changed_and_written_for_a_product_that_had_none(
    mia: StaffClient, engine: Engine
) -> None:
    path = "/console/settings/answers"
    with session_scope(engine) as session:
        axe = Product(sku="AX-1", category="climbing", price_minor=1, currency="NOK")
        session.add(axe)
        session.flush()
        session.add(ProductText(product_id=axe.id, language="en", name=f"Axe {HOSTILE}"))
    assert "Write care tips" not in mia.page(path, q="AX-2")
    assert "Write care tips for AX-1" in mia.text(path, q="AX-1")
    one = f"{path}/care.AX-1"
    assert mia.get(f"{path}/care.AX-2").status_code == 404
    typed = {"en": f"• Ask {{shop}}. {HOSTILE}", "es": "• Afílalo.", "nb": "• Slip den."}
    assert 'id="mistake-ro"' in mia.post(one, **{**form(mia.page(one)), **typed, "do": "save"}).text
    mia.post(one, **{**form(mia.page(one)), **typed, "ro": "• Ascute-l.", "do": "save"})
    assert get_knowledge().care["AX-1"].en == f"• Ask {get_facts().name}. {HOSTILE}"
    assert "<script>alert" not in mia.page(path, q="AX-1")
    mia.post(f"{one}/restore", version="0", base="1")
    assert "AX-1" not in get_knowledge().care
    tents = f"{path}/care.tents"
    mia.post(tents, **{**form(mia.page(tents)), "nb": "• Luft det.", "do": "save"})
    assert get_knowledge().care["tents"].nb == "• Luft det."


def test_an_answer_is_found_changed_and_brought_back(mia: StaffClient, engine: Engine) -> None:
    path = "/console/settings/answers/warranty"
    assert "Warranty" in mia.page("/console/settings/answers", q="warrant")
    assert "No answer has" in mia.page("/console/settings/answers", q=HOSTILE)
    before = get_knowledge().entries["warranty"].answer
    fields = form(mia.page(path)) | {"en": f"Two years, says {{shop}}. {HOSTILE}"}
    seen = mia.post(path, **{**fields, "do": "preview"}).text
    assert f"Two years, says {get_facts().name}." in seen
    assert "<script>alert" not in seen
    assert get_knowledge().entries["warranty"].answer == before
    mia.post(path, **{**fields, "do": "save"})
    assert get_knowledge().entries["warranty"].answer.en == f"Two years, says {get_facts().name}. {HOSTILE}"
    bad = mia.post(path, **{**form(mia.page(path)), "es": "", "ro": "{shop.name}", "do": "save"})
    assert bad.status_code == 422
    assert 'id="mistake-es"' in bad.text
    assert 'id="mistake-ro"' in bad.text
    mia.post(f"{path}/restore", version="0", base="1")
    assert get_knowledge().entries["warranty"].answer == before
    assert mia.get("/console/settings/answers/none").status_code == 404
    with session_scope(engine) as session:
        # As another version of the shop's facts knew it.
        edits.save(session, "answer.warranty", 2, dict.fromkeys(LANGUAGES, "{fax}"), None)
        edits.save(session, "answer.warranty", 3, dict.fromkeys(LANGUAGES, "A year."), None)
    misfit = mia.post(f"{path}/restore", version="3", base="4")
    assert misfit.status_code == 409
    assert "There is no placeholder {fax}" in misfit.text
    assert get_knowledge().entries["warranty"].answer.en == "A year."
