"""Which column of a file is which field."""

from __future__ import annotations

import re

from rapport.connectors.csv.fields import FIELDS, ONE_OF
from rapport.kit.errors import InvalidInputError
from rapport.shop.phrases import words


def fold_header(header: str) -> str:
    """A column name for comparing: `InvoiceNo`, `invoice_no` and `Invoice No.` are `invoice no`."""
    apart = re.sub(r"(?<=[a-zà-ÿ])(?=[A-Z])", " ", header).replace("_", " ")
    return " ".join(words(apart))


def detect(kind: str, header: list[str], overrides: dict[str, str]) -> dict[str, int]:
    """The position of each field's column, for those fields the file has.

    Raises InvalidInputError when an override names an unknown field or column, or when a field that must
    be there is not found.
    """
    fields = FIELDS[kind]
    columns: dict[str, int] = {}
    for name, column in overrides.items():
        if name not in {field.name for field in fields}:
            known = ", ".join(field.name for field in fields)
            raise InvalidInputError(f"There is no field {name!r} in {kind}. Fields: {known}.")
        columns[name] = find_column(column, header)
    folded = [fold_header(column) for column in header]
    free = set(range(len(header))) - set(columns.values())
    for field in fields:
        if field.name in columns:
            continue
        for known in field.names:
            position = next((index for index in sorted(free) if folded[index] == known), None)
            if position is not None:
                columns[field.name] = position
                free.discard(position)
                break
    _check(kind, header, columns)
    return columns


def find_column(column: str, header: list[str]) -> int:
    """The position of the column of that name, or of that number counted from 1."""
    for index, name in enumerate(header):
        if name.strip() == column.strip():
            return index
    for index, name in enumerate(header):
        if fold_header(name) == fold_header(column):
            return index
    if column.isdecimal() and 1 <= int(column) <= len(header):
        return int(column) - 1
    raise InvalidInputError(f"The file has no column {column!r}. Its columns: {_listed(header)}.")


def _check(kind: str, header: list[str], columns: dict[str, int]) -> None:
    missing = [field.name for field in FIELDS[kind] if field.required and field.name not in columns]
    if not any(name in columns for name in ONE_OF[kind]):
        missing.append(" or ".join(ONE_OF[kind]))
    if missing:
        raise InvalidInputError(
            f"Cannot tell which column is: {'; '.join(missing)}. The file's columns: {_listed(header)}. "
            f"Say it with --map {missing[0].split()[0]}=COLUMN."
        )


def _listed(header: list[str]) -> str:
    names = ", ".join(name.strip()[:40] or "(empty)" for name in header[:30])
    return names + (", …" if len(header) > 30 else "")
