"""In what encoding and with what delimiter a file is written."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from pathlib import Path

from rapport.kit.errors import InvalidInputError

DELIMITERS = (",", ";", "\t", "|")
BLOCK = 1 << 20
SAMPLE_CHARACTERS = 64_000
SAMPLE_RECORDS = 50
# Latin-1 takes any byte, so it comes last.
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
NOT_TEXT = {b"PK\x03\x04": "an Excel file or archive", b"%PDF": "a PDF", b"\xd0\xcf\x11\xe0": "an Excel file"}


def detect_encoding(path: Path) -> str:
    """The first encoding the whole file can be read in.

    Raises InvalidInputError when the file is missing, empty or no text.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise InvalidInputError(f"Cannot read {path}: {error.strerror}.") from None
    if not head:
        raise InvalidInputError(f"{path} is empty.")
    for magic, name in NOT_TEXT.items():
        if head.startswith(magic):
            raise InvalidInputError(f"{path} is {name}, not a CSV file. Export it as CSV (UTF-8) first.")
    if head[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    return next(encoding for encoding in ENCODINGS if _decodes(path, encoding))


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while block := file.read(BLOCK):
                if b"\0" in block:
                    raise InvalidInputError(f"{path} is no text file.")
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def sample(path: Path, encoding: str) -> str:
    """The beginning of the file.

    Raises InvalidInputError when it cannot be read in this encoding, or not at all.
    """
    try:
        with path.open(encoding=encoding, newline="") as file:
            return file.read(SAMPLE_CHARACTERS)
    except OSError as error:
        raise InvalidInputError(f"Cannot read {path}: {error.strerror}.") from None
    except (UnicodeError, LookupError):
        raise InvalidInputError(f"{path} cannot be read as {encoding}.") from None


def detect_delimiter(text: str) -> str:
    """The delimiter that cuts most lines of the sample into the same number of columns, more than one."""
    return max(DELIMITERS, key=lambda delimiter: _evenness(text, delimiter))


def _evenness(text: str, delimiter: str) -> tuple[float, int]:
    widths: Counter[int] = Counter()
    try:
        for record, _ in zip(
            csv.reader(io.StringIO(text), delimiter=delimiter), range(SAMPLE_RECORDS), strict=False
        ):
            if record:
                widths[len(record)] += 1
    except csv.Error:
        return (0.0, 0)
    if not widths:
        return (0.0, 0)
    width, count = widths.most_common(1)[0]
    return (0.0, 0) if width == 1 else (count / widths.total(), width)
