"""Chromium for tests: Debian's, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    """Starts Chromium. Without one the test is skipped, but fails in CI, where it must be there."""
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(path).exists():
        path = (
            shutil.which("chromium")
            or shutil.which("chromium-browser")
            or shutil.which("google-chrome")
            or ""
        )
    if not path:
        reason = "No Chromium found: install the package `chromium` or set CHROMIUM to its path."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


def assert_accessible(page: Page) -> None:
    """Fails with what axe found on any violation."""
    page.wait_for_timeout(350)  # axe measures colours; animations have to be over
    assert Axe().run(page).response["violations"] == []
