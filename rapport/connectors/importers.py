"""Importing files: first a plan that can be shown and corrected, then the run.

A run reads the file once, in chunks of one transaction each, whatever its size. A bad row is counted and
passed over. Running again changes nothing; after an interruption it completes what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision, list_currencies
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.connectors import cdnow
from rapport.connectors.csv import text
from rapport.connectors.csv.customers import CustomerReader, CustomerWriter
from rapport.connectors.csv.fields import FIELDS
from rapport.connectors.csv.orders import OrderReader
from rapport.connectors.csv.planning import plan_csv
from rapport.connectors.csv.products import ProductReader, ProductWriter
from rapport.connectors.csv.records import Records
from rapport.connectors.orders import OrderWriter
from rapport.connectors.plan import Plan
from rapport.connectors.report import Report
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import InvalidInputError
from rapport.shop.facts import get_facts
from rapport.shop.models import ImportRun

__all__ = ["Plan", "Report", "plan", "run"]

DEFAULT_SOURCE = "import"
SOURCE_LENGTH = 60

Progress = Callable[[int, int], None]


class _Reader(Protocol):
    def read(self, row: int, record: Any, /) -> Any: ...


class _Writer(Protocol):
    chunk: int

    def write(self, session: Session, rows: list[Any], /) -> None: ...


class _Rows(Protocol):
    size: int

    @property
    def position(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[int, Any]]: ...


def plan(
    kind: str,
    path: Path,
    overrides: dict[str, str] | None = None,
    *,
    source: str | None = None,
    currency: str | None = None,
    consent_source: str | None = None,
) -> Plan:
    """How the file at `path` will be read as `kind`: orders, customers or products.

    `overrides` name the column of a field (`date`: `InvoiceDate`), or set `encoding`, `delimiter`, `decimal`
    or `date_order`. `source` names where the file comes from: numbers and customer ids are unique within it.
    `currency` is that of all amounts, by default the shop's. `consent_source` stands in for a missing column.

    Raises InvalidInputError when the file cannot be read so.
    """
    if kind not in FIELDS:
        raise InvalidInputError(f"Cannot import {kind!r}; one of {', '.join(FIELDS)}.")
    currency = (currency or get_facts().currency).upper()
    if currency not in list_currencies():
        raise InvalidInputError(f"{currency!r} is no currency; use its ISO code, such as NOK.")
    source = (source or DEFAULT_SOURCE).strip()
    if not 0 < len(source) <= SOURCE_LENGTH:
        raise InvalidInputError(f"A source's name has 1 to {SOURCE_LENGTH} characters.")
    if kind == "orders" and not overrides and cdnow.looks_like(text.sample(path, "latin-1")):
        return _plan_cdnow(path, source, currency)
    return plan_csv(kind, path, overrides or {}, source, currency, consent_source)


def run(plan: Plan, engine: Engine, progress: Progress | None = None, dry_run: bool = False) -> Report:
    """Read the file and store what is new; with `dry_run` only read and report.

    `progress` is called with the bytes read so far and in all. The report is kept as an ImportRun.
    """
    report = Report(plan.kind, plan.path.name, dry_run)
    reader, writer = _machinery(plan, report)
    started_at = clock.now()
    rows = _open(plan)
    for chunk in _chunks(rows, reader, report, writer.chunk):
        if dry_run:
            report.taken += len(chunk)
        elif chunk:
            with session_scope(engine) as session:
                writer.write(session, chunk)
        if progress:
            progress(min(rows.position, rows.size), rows.size)
    if not dry_run:
        with session_scope(engine) as session:
            session.add(
                ImportRun(
                    kind=plan.kind,
                    file_name=plan.path.name[:300],
                    started_at=started_at,
                    finished_at=clock.now(),
                    report="\n".join(report.lines()),
                )
            )
    return report


def _plan_cdnow(path: Path, source: str, currency: str) -> Plan:
    return Plan(
        kind="orders",
        path=path,
        format="cdnow",
        source=source,
        currency=currency,
        mapping=dict(cdnow.MAPPING),
        columns={},
        width=0,
        encoding="ascii",
        delimiter=" ",
        decimal=".",
        date_order="ymd",
    )


def _machinery(plan: Plan, report: Report) -> tuple[_Reader, _Writer]:
    facts = get_facts()
    zone = ZoneInfo(facts.timezone)
    if plan.kind == "customers":
        return CustomerReader(plan, report, zone, facts.country), CustomerWriter(plan, report)
    if plan.kind == "products":
        return ProductReader(plan, report, facts), ProductWriter(report)
    writer = OrderWriter(plan, report, facts.language)
    if plan.format == "cdnow":
        return cdnow.CdnowReader(report, zone, get_currency_precision(plan.currency)), writer
    return OrderReader(plan, report, zone), writer


def _open(plan: Plan) -> _Rows:
    if plan.format == "cdnow":
        return cdnow.TextLines(plan.path)
    return Records(plan.path, plan.encoding, plan.delimiter, plan.width, skip_header=True)


def _chunks(
    rows: Iterable[tuple[int, Any]], reader: _Reader, report: Report, size: int
) -> Iterator[list[Any]]:
    """What could be read, in lists of up to `size`; the last may be empty and comes at the file's end."""
    chunk: list[Any] = []
    seen = 0
    for row, record in rows:
        report.read += 1
        seen += 1
        if record is None:
            report.skip("not readable as a row of this file (columns or quotes)", row)
        elif (item := reader.read(row, record)) is not None:
            chunk.append(item)
        if seen >= size:
            yield chunk
            chunk, seen = [], 0
    yield chunk
