"""CDNOW's text format: a customer's purchases of a day on a line, columns parted by spaces.

Either `id date cds dollars`, or, in the published sample, `id sample-id date cds dollars`. The format has no
order numbers: each line is an order, named by customer and day, the second of a day with `-2` and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from rapport.connectors.csv import values
from rapport.connectors.lines import OrderLine, Who
from rapport.connectors.report import Report

LINE = re.compile(
    r"\s*(?P<id>\d+)(?:\s+\d+)?\s+(?P<date>\d{8})\s+(?P<cds>\d+)\s+(?P<dollars>\d+(?:\.\d+)?)\s*"
)
MAPPING = {"customer": "first number", "date": "yyyymmdd", "quantity": "CDs", "price": "dollars in all"}
SKU = "CD"


def looks_like(beginning: str) -> bool:
    """Whether a file that begins so is in this format."""
    first = next((line for line in beginning.splitlines() if line.strip()), "")
    return LINE.fullmatch(first) is not None


class CdnowReader:
    """Turns lines into orders of one item, worth what was paid in all."""

    def __init__(self, report: Report, zone: ZoneInfo, precision: int) -> None:
        self._report = report
        self._zone = zone
        self._precision = precision
        self._seen: dict[str, int] = {}
        self._customer = ""

    def read(self, row: int, line: str) -> OrderLine | None:
        """The order in this line, or None after saying why not."""
        match = LINE.fullmatch(line)
        if match is None:
            self._report.skip("not a line of four or five numbers", row)
            return None
        try:
            placed_at = values.moment(match["date"], "ymd", self._zone)
            dollars = values.amount(match["dollars"], ".", self._precision)
        except ValueError as error:
            self._report.skip(str(error), row)
            return None
        cds = int(match["cds"])
        return OrderLine(
            row=row,
            order=self._number(match["id"], match["date"]),
            placed_at=placed_at,
            sku=SKU,
            description=f"{cds} CD" if cds == 1 else f"{cds} CDs",
            quantity=1,
            unit_price_minor=dollars,
            who=Who(match["id"], None),
            country=None,
            refund=False,
            returned_from=None,
            goods=False,
        )

    def _number(self, customer: str, day: str) -> str:
        # The file is sorted by customer, so only one customer's days need to be kept in mind.
        if customer != self._customer:
            self._customer = customer
            self._seen.clear()
        count = self._seen[day] = self._seen.get(day, 0) + 1
        return f"{customer}-{day}" if count == 1 else f"{customer}-{day}-{count}"


class TextLines:
    """Iterates over (line number, line) of a text file; `position` in bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size
        self.position = 0

    def __iter__(self) -> Iterator[tuple[int, str]]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                self.position += len(line)
                text = line.decode("latin-1")
                if text.strip():
                    yield number, text
