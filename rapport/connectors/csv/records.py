"""The records of a CSV file, one after the other, whatever is wrong with some of them."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self

Record = list[str]


class _Lines:
    """Lines that can be put back; remembers those handed out for the record being read."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self._back: deque[str] = deque()
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._file)
        self.number += 1
        self.taken.append(line)
        return line

    def put_back_all_but_first(self) -> None:
        self._back.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1


class Records:
    """Iterates over (line number, record); None in place of a record that cannot be read or is too short.

    With `width`, empty cells beyond it are cut off. A quote that is never closed swallows lines up to the
    next quote. When that leaves a record of the wrong width only the line it began in is given up, the others
    are read again.
    """

    def __init__(
        self,
        path: Path,
        encoding: str,
        delimiter: str,
        width: int | None = None,
        skip_header: bool = False,
    ) -> None:
        self._path = path
        self._encoding = encoding
        self._delimiter = delimiter
        self._width = width
        self._skip_header = skip_header
        self._binary: io.BufferedReader | None = None
        self.size = path.stat().st_size

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        if self._binary is None:
            return 0
        return self.size if self._binary.closed else self._binary.tell()

    def __iter__(self) -> Iterator[tuple[int, Record | None]]:
        self._binary = self._path.open("rb")
        with io.TextIOWrapper(self._binary, self._encoding, newline="") as text:
            records = self._records(_Lines(text))
            if self._skip_header:
                next(records, None)
            for row, record in records:
                yield row, self._fitted(record)

    def _records(self, lines: _Lines) -> Iterator[tuple[int, Record | None]]:
        reader = csv.reader(lines, delimiter=self._delimiter)
        while True:
            lines.taken.clear()
            first = lines.number + 1
            try:
                record: Record | None = next(reader)
            except StopIteration:
                return
            except csv.Error:
                record = None
            if len(lines.taken) > 1 and self._fitted(record) is None:
                lines.put_back_all_but_first()
                reader = csv.reader(lines, delimiter=self._delimiter)
                record = None
            # A line of nothing but delimiters is as good as an empty one.
            if record is None or any(record):
                yield first, record

    def _fitted(self, record: Record | None) -> Record | None:
        if record is None or self._width is None or len(record) == self._width:
            return record
        return record[: self._width] if len(record) > self._width and not any(record[self._width :]) else None
