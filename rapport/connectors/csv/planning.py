"""Looking at a CSV file beforehand: encoding, delimiter, columns, decimal sign, order of day and month."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rapport.connectors.csv import mapping, text, values
from rapport.connectors.csv.fields import FIELDS
from rapport.connectors.csv.records import Records
from rapport.connectors.plan import DATE_ORDERS, Plan
from rapport.kit.errors import InvalidInputError

# Not fields but properties of the file; they are given like columns.
PROPERTIES = ("encoding", "delimiter", "decimal", "date_order")
AMOUNT_FIELDS = ("price", "cost", "quantity")
DATE_FIELDS = ("date", "consent_date", "birthday")
AMOUNT_SAMPLE = 5_000


def plan_csv(
    kind: str,
    path: Path,
    overrides: dict[str, str],
    source: str,
    currency: str,
    consent_source: str | None,
) -> Plan:
    """How this file will be read.

    Raises InvalidInputError when it is no text, or lacks a column that is needed.
    """
    given = {name: overrides[name] for name in PROPERTIES if name in overrides}
    encoding = given.get("encoding") or text.detect_encoding(path)
    beginning = text.sample(path, encoding)
    delimiter = _delimiter(given.get("delimiter")) or text.detect_delimiter(beginning)
    header = _header(path, encoding, delimiter)
    columns = mapping.detect(
        kind, header, {name: column for name, column in overrides.items() if name not in given}
    )
    return Plan(
        kind=kind,
        path=path,
        format="csv",
        source=source,
        currency=currency,
        mapping={
            field.name: header[columns[field.name]] if field.name in columns else None
            for field in FIELDS[kind]
        },
        columns=columns,
        width=len(header),
        encoding=encoding,
        delimiter=delimiter,
        decimal=_decimal(given.get("decimal"), path, encoding, delimiter, columns),
        date_order=_date_order(given.get("date_order"), path, encoding, delimiter, columns),
        consent_source=consent_source,
    )


def _delimiter(given: str | None) -> str | None:
    if given is None:
        return None
    named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|"}.get(given.lower(), given)
    if len(named) != 1:
        raise InvalidInputError(f"A delimiter is a single character, not {given!r}.")
    return named


def _header(path: Path, encoding: str, delimiter: str) -> list[str]:
    header = next((record for _, record in Records(path, encoding, delimiter) if record), None)
    if header is None:
        raise InvalidInputError(f"{path} has no readable line.")
    while header and not header[-1].strip():
        header.pop()
    return header


def _decimal(given: str | None, path: Path, encoding: str, delimiter: str, columns: dict[str, int]) -> str:
    if given is not None:
        if given not in {",", "."}:
            raise InvalidInputError(f"The decimal sign is , or . and not {given!r}.")
        return given
    wanted = [columns[name] for name in AMOUNT_FIELDS if name in columns]
    amounts = islice(_cells(path, encoding, delimiter, wanted), AMOUNT_SAMPLE)
    return values.decimal_sign(list(amounts)) or "."


def _date_order(given: str | None, path: Path, encoding: str, delimiter: str, columns: dict[str, int]) -> str:
    """The order the first telling date shows; 1/12/2010 tells nothing, so the whole file may be looked at.

    Day first when no date tells: that is how our languages write it.
    """
    if given is not None:
        if given not in DATE_ORDERS:
            raise InvalidInputError(f"The date order is one of {', '.join(DATE_ORDERS)}, not {given!r}.")
        return given
    wanted = [columns[name] for name in DATE_FIELDS if name in columns]
    if not wanted:
        return "ymd"
    orders = (values.date_order(cell) for cell in _cells(path, encoding, delimiter, wanted))
    return next((order for order in orders if order), "dmy")


def _cells(path: Path, encoding: str, delimiter: str, wanted: list[int]) -> Iterator[str]:
    for _, record in Records(path, encoding, delimiter, skip_header=True):
        for column in wanted:
            if record and column < len(record) and record[column]:
                yield record[column]
