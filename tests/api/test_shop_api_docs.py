"""What docs/shop-api.md shows works: each curl of it is run, in its order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any

import pytest
from sqlalchemy import Engine

from rapport.api import rules
from rapport.connectors import tasks
from rapport.kit.settings import ROOT, Settings
from rapport.loyalty.offers.service import Refusal
from tests.api.conftest import BASE, Caller, new_key
from tests.running import RunningApp

TEXT = (ROOT / "docs" / "shop-api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(curl .*?)```", TEXT, re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_every_example_works(app: RunningApp, settings: Settings, engine: Engine) -> None:
    key = new_key(settings, engine, "webshop")
    answers = []
    for example in EXAMPLES:
        done = subprocess.run(
            ["/bin/sh", "-c", example.replace("curl ", "curl -sS --fail-with-body --noproxy '*' ", 1)],
            env=os.environ | {"SHOP": f"{app.url}{BASE}", "KEY": key},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, f"{example}\n{done.stdout}{done.stderr}"
        answers.append(done.stdout)
    assert len(EXAMPLES) == 6
    assert '"points":264,' in answers[1]
    assert '"points":-100,' in answers[2]
    assert '"pending":164' in answers[3]
    assert '"stage":"trust"' in answers[4]


def test_the_numbers_and_names_in_it_are_true(shop: Caller) -> None:
    document: dict[str, Any] = shop.client.get(f"{BASE}/openapi.json").json()
    for path in re.findall(r"`POST (/[a-z]+/[^`]+)`", TEXT):
        assert path in document["paths"], path
    for scope in rules.SCOPES:
        assert f"`{scope}`" in TEXT
    for reason in Refusal:
        assert f"`{reason.value}`" in TEXT
    assert f"{rules.REQUESTS_PER_MINUTE} requests a minute" in TEXT
    assert rules.ANSWERS_KEPT.days == 7
    minutes = [str(int(wait.total_seconds() // 60)) for wait in tasks.TRY_AGAIN_AFTER]
    assert f"after {', '.join(minutes[:-1])} and {minutes[-1]} minutes" in TEXT
