"""What came of an import, row by row in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

FIRST_ROWS = 5


@dataclass
class Report:
    """Counts of rows taken and skipped, of what was added, and where to look in the file."""

    kind: str
    file_name: str
    dry_run: bool = False
    read: int = 0
    taken: int = 0
    added: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    rows: dict[str, list[int]] = field(default_factory=dict)

    def skip(self, reason: str, row: int) -> None:
        """A row was not taken."""
        self.skipped[reason] += 1
        self._remember(reason, row)

    def note(self, remark: str, row: int) -> None:
        """A row was taken, but not all of it."""
        self.noted[remark] += 1
        self._remember(remark, row)

    def lines(self) -> list[str]:
        """The report as people read it."""
        skipped = self.skipped.total()
        lines = [f"{self.file_name}: {self.read:,} rows read, {self.taken:,} taken, {skipped:,} skipped"]
        if self.dry_run:
            lines.append("  A dry run: nothing was written, and what is there already was not looked at.")
        lines += [f"  added {count:,} {what}" for what, count in self.added.items() if count]
        lines += [f"  changed {count:,} {what}" for what, count in self.changed.items() if count]
        lines += [self._line("skipped", reason, count) for reason, count in self.skipped.most_common()]
        lines += [self._line("note:", remark, count) for remark, count in self.noted.most_common()]
        return lines

    def _remember(self, reason: str, row: int) -> None:
        rows = self.rows.setdefault(reason, [])
        if len(rows) < FIRST_ROWS:
            rows.append(row)

    def _line(self, verb: str, reason: str, count: int) -> str:
        rows = self.rows[reason]
        listed = ", ".join(str(row) for row in rows) + (", …" if count > len(rows) else "")
        return f"  {verb} {count:,}: {reason} (line {listed})"
