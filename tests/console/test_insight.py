"""The page of figures: what it shows is what there is."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from rapport.cases.models import Case
from rapport.console import insight
from rapport.conversations.models import Handoff
from rapport.customers.models import Customer
from rapport.insight import segments, tasks
from rapport.insight.charts import Chart, Series
from rapport.insight.models import Satisfaction
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.shop.models import Order
from rapport.value.models import CustomerValue
from tests.browser import assert_accessible
from tests.console.client import StaffClient
from tests.console.conftest import Logged, OpenPage
from tests.console.talks import talk

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONTH = {"period": "custom", "first": "2026-11-01", "last": "2026-11-20"}
COUNTED = ("orders", "buying_days", "revenue_minor", "costed_minor", "margin_minor")
HOSTILE = '=HYPERLINK("http://evil.example")<script>alert(1)</script>'


def at(day: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def asked(text: str = "where is my order", intent: str = "track_order") -> tuple[str, str, dict[str, str]]:
    return ("customer", text, {"intent": intent})


def month(engine: Engine) -> None:
    """Three weeks of a shop: six conversations and what came of them."""
    solved = talk(engine, asked(), ("bot", "Here."), at=at(2))
    talk(engine, asked("hva?", "nlu_fallback"), ("bot", "?"), at=at(3), language="nb", channel="telegram")
    person = talk(engine, asked("a person", "contact_human_agent"), ("staff", "Hi"), at=at(4))
    talk(engine, asked(), ("bot", "Here."), at=at(5))
    talk(engine, asked(intent=HOSTILE[:60]), ("bot", "Here."), at=at(20, 9))
    talk(engine, asked(intent="delivery_period"), ("bot", "Here."), at=datetime(2026, 10, 20, tzinfo=UTC))
    with session_scope(engine) as session:
        for number, waited in enumerate((60, 120, 600)):
            session.add(
                Handoff(
                    conversation_id=person,
                    message_key=f"h{number}",
                    reason="…",
                    requested_at=at(4, 10, number),
                    taken_at=at(4, 10, number) + timedelta(seconds=waited),
                    first_answer_at=at(4, 10, number) + timedelta(seconds=waited + 60),
                    closed_at=at(4, 12),
                )
            )
        for score, who, conversation in ((5, "bot", solved), (2, "person", person), (None, "bot", solved)):
            session.add(
                Satisfaction(
                    conversation_id=conversation,
                    message_key=f"{who}{score}",
                    handled_by=who,
                    asked_at=at(5),
                    score=score,
                    at=at(5) if score else None,
                )
            )
        customer = Customer(language="en")
        order = Order(
            source="shop", number="1", status="paid", currency="NOK", total_minor=90_000, placed_at=at(6)
        )
        offer = Offer(key="winter", percent=10)
        session.add_all([customer, order, offer])
        session.flush()
        for number in range(3):
            used = number == 0
            session.add(
                Coupon(
                    code=f"FJ-{number}",
                    offer_id=offer.id,
                    customer_id=customer.id,
                    sequence=number,
                    state="redeemed" if used else "issued",
                    issued_at=at(5),
                    expires_at=at(28),
                    redeemed_at=at(6) if used else None,
                    order_id=order.id if used else None,
                    discount_minor=10_000 if used else None,
                    cost_minor=10_000 if used else None,
                )
            )
        session.add_all(
            Case(
                kind="review",
                message_key=f"c{number}",
                text="…",
                language="en",
                opened_at=at(7),
                due_at=at(9),
                resolved_at=resolved,
            )
            for number, resolved in enumerate((at(8), at(10), None))
        )
        session.add(
            CustomerValue(
                customer_id=customer.id,
                **dict.fromkeys(COUNTED, 1),
                segment="champions",
            )
        )
    segments.count(engine, at(10).date())
    with session_scope(engine) as session:
        session.get_one(CustomerValue, customer.id).segment = "at_risk"
    segments.count(engine, at(11).date())
    segments.count(engine, at(12).date())


@pytest.fixture
def manager(engine: Engine, log_in: Logged) -> StaffClient:
    with clock.freeze(NOW):
        return log_in("manager")


def test_the_figures_agree_with_a_month_made_by_hand(engine: Engine, manager: StaffClient) -> None:
    month(engine)
    with clock.freeze(NOW):
        tasks.count_days(engine)
        text = manager.text("/console/insight", **MONTH)
        for words in (
            "Conversations 5 before: 1 +400%",
            "Messages 10 before: 2",
            "Solved by the bot 50% before: 100% -50%",
            "1 conversation of this time is younger and not counted here yet.",
            "Not understood 20%",
            "Asked for a person 3 before: 0",
            "Waited for a person, typically 2 minutes",
            "First answer, typically 3 minutes",
            "Satisfaction, of 5 3.5",
            "With the bot 5 ",
            "With a person 2 ",
            "Gave a score 67%",
            "Codes given out 3",
            "Codes used 1",
            "Revenue with codes NOK 900",
            "Discount given NOK 100",
            "Cases opened 3",
            "Cases resolved 2",
            "Resolved in time 50%",
            "1 case is overdue now.",
            "Champions → At risk 1",
        ):
            assert words in text.replace("\xa0", " "), words
        only = manager.text("/console/insight", **MONTH, channel="telegram", language="nb")
    assert "Conversations 1 before: 0" in only
    assert "Asked for a person 0" in only


def test_a_file_holds_what_its_table_shows(engine: Engine, manager: StaffClient) -> None:
    month(engine)
    with clock.freeze(NOW):
        page = manager.page("/console/insight", **MONTH)
        links = [unescape(link) for link in re.findall(r'href="(/console/insight/\w+\.csv[^"]*)"', page)]
        assert len(links) >= 12
        for link in links:
            key = link.split("/")[-1].split(".")[0]
            card = page.split(f'<h3 id="{key}-heading">')[1].split("<h3 ")[0]
            rows = re.findall(r"<tr>(.*?)</tr>", card, re.DOTALL)
            table = [
                [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows
            ]
            answer = manager.get(link.partition("?")[0], **dict(parse_qsl(link.partition("?")[2])))
            assert answer.headers["content-type"] == "text/csv; charset=utf-8"
            assert answer.text.startswith("\ufeff")
            file = list(csv.reader(io.StringIO(answer.text[1:])))
            assert [row[0].lstrip("'") for row in file] == [row[0] for row in table]
            assert file[0][1:] == table[0][1:]
            for written, shown in zip(file[1:], table[1:], strict=True):
                for number, words in zip(written[1:], shown[1:], strict=True):
                    assert (number == "") == (words == "–")
                    if number.isdigit() and words.replace(",", "").isdigit():
                        assert int(number) == int(words.replace(",", ""))
    assert "<script>alert" not in page


def test_what_a_spreadsheet_would_run_is_defused() -> None:
    chart = Chart("k", "bars", "t", "a", "-h", ["=1+1", "@x", "fine"], [Series("+s", [1, None, 0.5])], str)
    assert insight.as_csv(chart) == "\ufeff'-h,'+s\r\n'=1+1,1\r\n'@x,\r\nfine,0.5\r\n"


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        ("", "2026-11-01", "Give both dates."),
        ("2026-11-02", "2026-11-01", "The first day comes after the last."),
        ("2020-01-01", "2026-11-01", "Choose two years at most"),
    ],
)
def test_dates_that_make_no_sense(manager: StaffClient, first: str, last: str, says: str) -> None:
    with clock.freeze(NOW):
        answer = manager.get("/console/insight", period="custom", first=first, last=last)
        assert answer.status_code == 422
        assert says in answer.text
        assert manager.get("/console/insight/talks.csv", period="custom").status_code == 422


def test_a_new_shop_is_told_what_will_be_here(manager: StaffClient) -> None:
    with clock.freeze(NOW):
        assert "There is nothing to count yet." in manager.text("/console/insight")


def test_agents_see_no_figures(log_in: Logged) -> None:
    agent = log_in("agent")
    assert agent.get("/console/insight").status_code == 403
    assert agent.get("/console/insight/talks.csv").status_code == 403
    assert "/console/insight" not in agent.page("/console/account")


@pytest.mark.parametrize(("width", "dark"), [(375, True), (1280, False)])
def test_it_is_accessible(open_page: OpenPage, sqlite_engine: Engine, width: int, dark: bool) -> None:
    month(sqlite_engine)
    with clock.freeze(NOW):
        tasks.count_days(sqlite_engine)
        page = open_page("manager", "/console/insight", width=width, dark=dark)
        page.goto(page.url + "?period=custom&first=2026-11-01&last=2026-11-20")
        expect(page.locator("svg[role=img]").first).to_be_visible()
        page.locator("summary").first.click()
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
