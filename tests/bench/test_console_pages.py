"""Whether the bench of the console measures every page there is."""

from __future__ import annotations

from bench.console_pages import LEFT_OUT, PAGES
from rapport.console import app
from tests.console.test_permissions import ways


def test_no_page_is_forgotten() -> None:
    """A new page needs its lines in bench/console_pages.py, or a reason in `LEFT_OUT` why it has none."""
    there = {way.path for page in app.PAGES for way in ways(page.routes.routes) if way.method == "GET"}
    assert there == PAGES.keys() | LEFT_OUT.keys()
    assert not PAGES.keys() & LEFT_OUT.keys()
    assert all(PAGES.values()), "a page that is asked for in no way is not measured"
