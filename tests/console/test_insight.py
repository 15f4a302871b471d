"""The page of figures: what it shows is what there is."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from rapport.console import insight
from rapport.insight import tasks
from rapport.insight.charts import Chart, Series
from rapport.kit import clock
from tests.browser import assert_accessible
from tests.console.client import StaffClient
from tests.console.conftest import Logged, OpenPage
from tests.console.months import NOW, month

MONTH = {"period": "custom", "first": "2026-11-01", "last": "2026-11-20"}


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
            "Codes given out 4 before: 1",
            "Codes used 2 before: 1",
            "Revenue with codes NOK 900 before: NOK 500",
            "Discount given NOK 120 before: NOK 50",
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
