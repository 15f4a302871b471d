"""Numbers in addresses that no row can have. On both databases: each refuses others."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import Logged
from tests.console.test_permissions import WAYS

NUMBERED = [way for way in WAYS if re.search(r"\{(?!conversation_id)[a-z_]+_id\}", way.path)]


@pytest.mark.parametrize(
    "number", [str(2**31), str(2**63), str(-(2**63) - 1), "9" * 30, "1_0" * 9, "9" * 20 + ".0"]
)
def test_what_nothing_can_have_is_not_there(log_in: Logged, number: str) -> None:
    admin = log_in("admin")
    assert len(NUMBERED) > 20
    for way in NUMBERED:
        path = way.path.replace("{conversation_id}", "1" * 32)
        path = "/console" + re.sub(r"\{[a-z_]+_id\}", number, path)
        fields = {"csrf": admin.csrf} if way.method == "POST" else None
        answer = admin.http.request(way.method, path, data=fields)
        assert answer.status_code == 404, f"{way} gave {answer.status_code}"
