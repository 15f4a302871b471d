"""How a file will be read: found out beforehand, shown, and open to correction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
DATE_ORDERS = {"dmy": "day before month", "mdy": "month before day", "ymd": "year first"}


@dataclass(frozen=True)
class Plan:
    """Which column is what, and how the file is written.

    `mapping` holds for each field the file's own column name, or None where the file has no such column;
    `columns` the same as positions from 0.
    """

    kind: str
    path: Path
    format: str
    source: str
    currency: str
    mapping: dict[str, str | None]
    columns: dict[str, int]
    width: int
    encoding: str
    delimiter: str
    decimal: str
    date_order: str
    consent_source: str | None = None

    def describe(self) -> str:
        """The way the file is written, in one line."""
        if self.format == "cdnow":
            return f"CDNOW text, amounts in {self.currency}, source {self.source!r}"
        parts = [
            f"CSV with {DELIMITER_NAMES.get(self.delimiter, repr(self.delimiter))}",
            self.encoding.removesuffix("-sig"),
            "decimal comma" if self.decimal == "," else "decimal point",
            f"dates with {DATE_ORDERS[self.date_order]}",
            f"amounts in {self.currency}",
            f"source {self.source!r}",
        ]
        return ", ".join(parts)
