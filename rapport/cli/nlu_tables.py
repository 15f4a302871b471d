"""How the reports of `rapport nlu` look in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from rapport.cli.terminal import plain

Figures = dict[str, Any]
ROWS_SHOWN = 12
LINES_SHOWN = 30
# Columns that hold words, not figures.
WORDS = {"understood as", "taken for", "for example"}


def percent(share: float | None) -> str:
    """A share between 0 and 1; nothing to measure is a dash."""
    return "–" if share is None else f"{100 * share:.1f} %"


def decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} ms"


MEASURES: list[tuple[str, Callable[[Figures], str]]] = [
    ("messages", lambda one: str(one["messages"])),
    ("understood", lambda one: percent(one["accuracy"])),
    ("  give or take", lambda one: percent(one["margin"])),
    ("best intent right, however unsure", lambda one: percent(one["accuracy_without_threshold"])),
    ("macro-F1", lambda one: decimal(one["macro_f1"])),
    ("out of scope, caught", lambda one: percent(one["out_of_scope_caught"])),
    ("in scope, refused", lambda one: percent(one["in_scope_refused"])),
    ("calibration error", lambda one: decimal(one["calibration_error"])),
    ("time for a message, p50", lambda one: milliseconds(one["parse_ms"]["p50"])),
    ("time for a message, p95", lambda one: milliseconds(one["parse_ms"]["p95"])),
]


def of_evaluation(report: Figures) -> Iterator[RenderableType]:
    """The tables of `rapport nlu evaluate`."""
    yield by_language(report)
    if report["worst_intents"]:
        yield worst_intents(report["worst_intents"])
        yield confusions(report["confusions"])
    if "reference" in report:
        yield comparison(report)


def by_language(report: Figures) -> Table:
    languages: dict[str, Figures] = report["languages"]
    table = titled(f"{report['model']}: how much it understands", "", "all", *languages)
    for name, show in MEASURES:
        table.add_row(name, show(report["overall"]), *(show(figures) for figures in languages.values()))
    if report["parity"]:
        points = (report["parity"].get(language) for language in languages)
        table.add_row(
            "  points beside English",
            "",
            *("" if p is None else f"{p:+.1f}" for p in points),
            end_section=True,
        )
    return table


def worst_intents(rows: list[Figures]) -> Table:
    table = titled(f"Understood worst{of_many(rows)}", "intent", "messages", "understood", "taken for")
    for row in rows[:ROWS_SHOWN]:
        taken = ", ".join(f"{intent} {times}" for intent, times in row["taken_for"].items())
        table.add_row(row["intent"], str(row["messages"]), percent(row["understood"]), taken)
    return table


def confusions(rows: list[Figures]) -> Table:
    table = titled(f"Most often confused{of_many(rows)}", "meant", "understood as", "times", "for example")
    for row in rows[:ROWS_SHOWN]:
        table.add_row(row["intent"], row["predicted"], str(row["times"]), escape(plain(row["example"])))
    return table


def comparison(report: Figures) -> Table:
    reference: Figures = report["reference"]
    table = titled(f"Beside Rasa's default pipeline ({reference['model']})", "", "ours", "Rasa's", "")
    times = {name: f"{factor:.1f} times as long" for name, factor in reference["times_as_long"].items()}
    notes = {f"time for a message, {rank}": times[rank] for rank in ("p50", "p95")}
    for name, show in MEASURES:
        table.add_row(name, show(report["overall"]), show(reference["overall"]), notes.get(name, ""))
    loads = reference["load_seconds"]
    table.add_row("time to load", f"{loads['ours']:.2f} s", f"{loads['reference']:.2f} s", times["load"])
    for language, figures in report["languages"].items():
        theirs = reference["languages"][language]
        table.add_row(f"understood, {language}", percent(figures["accuracy"]), percent(theirs["accuracy"]))
    return table


def of_lint(report: Figures) -> Iterator[RenderableType]:
    """The findings of `rapport nlu lint`, the errors last, where one looks first."""
    yield balance(report["balance"])
    if report["near_duplicates"]:
        yield near_duplicates(report["near_duplicates"])
    yield from findings("[yellow]![/yellow]", report["warnings"], "warnings")
    yield from findings("[red]✗[/red]", report["errors"], "errors")
    mark = "[red]✗[/red]" if report["errors"] else "[green]✓[/green]"
    yield (
        f"{mark} {report['examples']} examples, {report['held_out']} held-out messages:"
        f" {len(report['errors'])} errors, {len(report['warnings'])} warnings"
    )


def balance(counted: Figures) -> Table:
    languages = counted["languages"]
    ratio = counted["largest_to_smallest"]
    title = "Examples" + (
        f"; the largest intent has {ratio:.1f} times as many as the smallest" if ratio else ""
    )
    table = titled(title, "intent", *languages, "all")
    for intent, row in counted["intents"].items():
        table.add_row(intent, *(str(row[language]) for language in languages), str(sum(row.values())))
    return table


def near_duplicates(rows: list[Figures]) -> Table:
    pairs = sum(row["pairs"] for row in rows)
    table = titled(f"Nearly the same within an intent: {pairs} pairs", "intent", "pairs", "for example")
    for row in rows[:ROWS_SHOWN]:
        one, two = row["examples"][0]
        table.add_row(row["intent"], str(row["pairs"]), escape(f"«{plain(one)}», «{plain(two)}»"))
    return table


def findings(mark: str, lines: list[str], name: str) -> Iterator[str]:
    for line in lines[:LINES_SHOWN]:
        yield f"{mark} {escape(plain(line))}"
    if len(lines) > LINES_SHOWN:
        yield f"{mark} … and {len(lines) - LINES_SHOWN} more {name}; all of them: rapport nlu lint --json"


def titled(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="left" if column in WORDS else "right")
    return table


def of_many(rows: list[Figures]) -> str:
    return f" ({ROWS_SHOWN} of {len(rows)}; all are in report.json)" if len(rows) > ROWS_SHOWN else ""
