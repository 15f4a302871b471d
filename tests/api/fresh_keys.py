"""A hook of schemathesis: each request gets a key of its own, else only the first would do anything."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import schemathesis

KEY = re.compile(r"[\x21-\x7e]{1,255}")


@schemathesis.hook
def before_call(_context: Any, case: Any, _options: Any) -> None:
    """Keys that are missing or wrong on purpose stay so."""
    given = (case.headers or {}).get("Idempotency-Key")
    if isinstance(given, str) and KEY.fullmatch(given):
        case.headers["Idempotency-Key"] = uuid4().hex
