"""What makes no sense in an address or a form is refused or left out, and never a fault of ours."""

from __future__ import annotations

from sqlalchemy import Engine

from tests.console.conftest import Logged
from tests.console.talks import talk
from tests.console.test_cases import open_case

ADDRESSES = (
    "cases?kind=a%00b",
    "cases?since=0001-01-01",
    "cases?until=9999-12-31",
    "cases?after=2026-01-01T00:00~5",
    "cases?after=2026-01-01T00:00:00%2B00:00~99999999999999999999",
    "cases?after=9999-12-31T23:59:59-14:00~1",
    "cases/new?conversation=%00",
    "mentions?source=%00",
    "mentions?after=2026-01-01T00:00~5",
    "teaching?value=%00",
    "conversations?q=%C2%B2",
    "settings/offers/a%00b/history",
    "settings/answers?q=%00",
    "settings/answers/care.x%00",
    "audit?since=0001-01-01",
    "audit.csv?since=0001-01-01",
)
HUGE = "99999999999999999999"
FORMS = (
    ("conversations/{talk}/assign", {"staff": HUGE}),
    ("conversations/{talk}/take", {"instead_of": HUGE}),
    ("conversations/{talk}/answer", {"text": "Hi.", "reply": HUGE}),
    ("conversations/{talk}/pass-on", {"to": HUGE}),
    ("cases/{case}/assign", {"owner": HUGE, "version": "1"}),
    ("cases/{case}/due", {"due": "9999-12-31", "version": "1"}),
    ("teaching/decide", {"verdict": f"accept:{HUGE}"}),
    ("teaching/decide", {"verdict": "accept", "id": "9" * 5000}),
    ("teaching/unclear", {"what": "ignore", "id": HUGE}),
)


def test_nothing_that_somebody_sends_is_an_error_of_ours(log_in: Logged, engine: Engine) -> None:
    admin, said = log_in("admin"), talk(engine, ("customer", "hello"))
    case_id = open_case(engine, "The zip broke.")
    for path in ADDRESSES:
        assert admin.get(f"/console/{path}").status_code in {200, 404, 422}, path
    for place, fields in FORMS:
        answer = admin.post("/console/" + place.format(talk=said, case=case_id), **fields)
        assert answer.status_code in {200, 404, 409, 422}, place
