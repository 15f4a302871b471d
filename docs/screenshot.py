"""Takes the README's picture of a running Rapport: `uv run python docs/screenshot.py [URL]`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

PICTURE = Path(__file__).parent / "images" / "chat.png"
QUESTIONS = ["Hi!", "What does delivery cost?"]


def take(url: str) -> None:
    """Asks the questions on the demo shop's page and saves what a visitor sees."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB")
        page.goto(f"{url}/?lang=en")
        expect(page.locator(".product").first).to_be_visible()
        page.locator("rapport-chat .launcher").click()
        for number, question in enumerate(QUESTIONS, 1):
            page.get_by_role("dialog").get_by_role("textbox").fill(question)
            page.keyboard.press("Enter")
            expect(page.locator("rapport-chat .entry.customer:not(:has(.fate))")).to_have_count(number)
            page.locator("rapport-chat .entry.customer + .entry.bot").nth(number - 1).wait_for()
        page.wait_for_timeout(1000)
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    take(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000")
