"""`rapport value`: what customers are worth."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from babel.numbers import get_currency_precision
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Engine

from rapport.cli.database import ready_engine
from rapport.cli.terminal import plain
from rapport.customers import service as customers
from rapport.kit.database import read_scope
from rapport.kit.errors import NotFoundError
from rapport.kit.format import money
from rapport.kit.languages import DEFAULT_LANGUAGE, LANGUAGES
from rapport.kit.settings import get_settings
from rapport.shop.facts import get_facts
from rapport.value import holdout, report, service
from rapport.value.holdout import Report
from rapport.value.segments import get_segments
from rapport.value.service import Run, Standing

console = Console(highlight=False)
progress = Console(highlight=False, stderr=True)


def command(
    customer: Annotated[
        str | None,
        typer.Option(
            "--customer", metavar="EMAIL", help="Show where this person stands, by the last valuation."
        ),
    ] = None,
    with_holdout: Annotated[
        bool,
        typer.Option(
            "--holdout",
            help="Also tell how well the first half of the shop's time would have foretold the second.",
        ),
    ] = False,
    language: Annotated[str, typer.Option(help="Of the segments' names: en, es, nb, ro.")] = DEFAULT_LANGUAGE,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Value every customer: scores, segments, what they will be worth, whether they come back.

    Runs every night by itself and for a customer after each of their
    orders; running it again is safe at any time. How to read it:
    docs/value.md. Pictures and their numbers are kept in var/value/.
    """
    if language not in LANGUAGES:
        raise typer.BadParameter(f"one of {', '.join(LANGUAGES)}", param_hint="--language")
    engine = ready_engine()
    if customer is not None:
        _show_customer(engine, customer, language, as_json)
        return
    run = _recompute(engine)
    folder = get_settings().var_dir / "value"
    with read_scope(engine) as session:
        sums = report.by_segment(session, language)
        files = report.draw(session, language, folder)
        tested = holdout.compare(session) if with_holdout else None
    if tested:
        from rapport.value import pictures  # matplotlib takes a second to load

        files.append(pictures.holdout(tested, folder))
    if as_json:
        found: dict[str, Any] = {
            "run": asdict(run),
            "segments": [asdict(one) for one in sums],
            "files": [str(file) for file in files],
        }
        if with_holdout:
            found["holdout"] = tested.as_dict() if tested else None
        _print_json(found)
        return
    if run.customers == 0:
        console.print("Nobody has ordered yet, so there is nothing to value.")
        console.print("Take over a shop's orders: uv run rapport import orders FILE.csv", soft_wrap=True)
        _show_left_out(run)
        return
    _show_segments(run, sums)
    _show_method(run)
    _show_left_out(run)
    if with_holdout:
        _show_holdout(tested)
    if files:
        console.print(f"Pictures, and their numbers as CSV: {files[0].parent}", soft_wrap=True)


def _recompute(engine: Engine) -> Run:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=progress, transient=True) as bar:
        task = bar.add_task("Valuing customers", total=None)
        return service.recompute(
            engine,
            lambda what, done, total: bar.update(
                task, description=what, completed=done, total=total if done else None
            ),
        )


def _show_segments(run: Run, sums: list[report.SegmentSum]) -> None:
    facts = get_facts()
    soon = facts.valuation.again_days
    table = Table(title=f"{run.customers:,} customers, {run.orders:,} orders", title_justify="left")
    table.add_column("segment", no_wrap=True)
    for heading in ("customers", "median value", "part of all value", f"buys within {soon} days"):
        table.add_column(heading, justify="right")
    for one in sums:
        table.add_row(
            one.name,
            f"{one.customers:,}",
            _about(one.median_minor, run.currency) if one.customers else "",
            f"{one.share:.0%}" if one.customers else "",
            f"{one.p_buy:.0%}" if one.customers else "",
        )
    console.print(table)
    kept = (
        f"margin ({run.margin_share:.0%} of revenue, by the products whose cost is known)"
        if run.margin_share is not None
        else "revenue, as no product's cost is known"
    )
    months = facts.valuation.horizon_months
    console.print(
        f"Value is what a customer is expected to bring in the next {months} months: {kept}.", soft_wrap=True
    )


def _show_method(run: Run) -> None:
    said = "by models" if run.method == "model" else "by plain rules, not by a model"
    console.print(f"Valued {said}: {run.reason}", soft_wrap=True)
    if not run.live:
        console.print(
            f"[yellow]![/yellow] The newest order is of {run.as_of:%Y-%m-%d};"
            " customers are looked at as of then.",
            soft_wrap=True,
        )


def _show_left_out(run: Run) -> None:
    left = run.left_out
    for code, count in left["other_currencies"].items():
        console.print(f"Left out: {count:,} orders in {code}; the shop counts in {run.currency}.")
    if left["orders_of_nobody"]:
        console.print(f"Left out: {left['orders_of_nobody']:,} orders of nobody in particular.")
    if left["orders_cancelled_or_refunded"]:
        console.print(f"Not counted: {left['orders_cancelled_or_refunded']:,} orders cancelled or paid back.")
    if left["orders_not_paid"]:
        console.print(
            f"Not counted: {left['orders_not_paid']:,} orders nobody has paid yet, as far as the shop says.",
            soft_wrap=True,
        )
    if left["customers_without_value"]:
        console.print(
            f"{left['customers_without_value']:,} customers paid nothing on balance; "
            "what they spend is not learnt from.",
            soft_wrap=True,
        )


def _show_holdout(tested: Report | None) -> None:
    if tested is None:
        console.print("The shop's orders span less than four weeks: too little to hold anything out.")
        return
    table = Table(
        title=f"{tested.customers:,} customers before {tested.cut:%Y-%m-%d},"
        f" and what came until {tested.end:%Y-%m-%d}",
        title_justify="left",
    )
    for heading in ("came back before", "customers", "orders expected", "orders that came"):
        table.add_column(heading, justify="right")
    for one in tested.classes:
        more = "+" if one.repeats == holdout.MOST else ""
        table.add_row(
            f"{one.repeats}{more} times", f"{one.customers:,}", f"{one.expected:.2f}", f"{one.actual:.2f}"
        )
    table.add_row(
        "all together", f"{tested.customers:,}", f"{tested.expected_orders:,.0f}", f"{tested.actual_orders:,}"
    )
    console.print(table)
    currency = get_facts().currency
    expected, came = (
        _about(minor, currency) for minor in (tested.expected_value_minor, tested.actual_value_minor)
    )
    console.print(
        f"By {tested.method}. Revenue expected: {expected}, came: {came}. Within their interval: "
        f"{tested.covered:.0%} of customers ({tested.level:.0%} or more are meant to be).",
        soft_wrap=True,
    )
    ranked = {
        "the probability to buy": tested.auc_p_buy,
        "plain recency": tested.auc_recency,
        "the probability not to have left": tested.auc_p_alive,
    }
    told = ", ".join(f"{what} {value:.3f}" for what, value in ranked.items() if value is not None)
    if told:
        console.print(f"Who buys again, told by (AUC; .5 is chance): {told}.", soft_wrap=True)


def _show_customer(engine: Engine, email: str, language: str, as_json: bool) -> None:
    with read_scope(engine) as session:
        person = customers.find_by_identity(session, "email", email)
        standing = service.standing(session, person.id) if person else None
        run = service.newest_summary(session)
        name = person.name if person else None
    if standing is None:
        raise NotFoundError("No customer has that address.")
    if as_json:
        _print_json({"customer": email, **asdict(standing)})
        return
    console.print(f"[bold]{escape(plain(name or email))}[/bold], {standing.stage}")
    for label, value in _lines(standing, language):
        console.print(f"  {label:<22}{value}", soft_wrap=True)
    if run is None:
        console.print("No valuation has run yet: uv run rapport value")


def _lines(standing: Standing, language: str) -> list[tuple[str, str]]:
    facts = get_facts()
    look = facts.valuation

    def amount(minor: int | None) -> str:
        return money(minor or 0, facts.currency, DEFAULT_LANGUAGE)

    if standing.orders == 0:
        return [("orders", "none that was kept")]
    lines = [
        ("orders", f"{standing.orders}, the last on {standing.last_order_at:%Y-%m-%d}"),
        ("spent", amount(standing.revenue_minor)),
    ]
    if standing.margin_minor:
        lines.append(("of it margin", f"{amount(standing.margin_minor)} where the cost is known"))
    if standing.segment is None:
        return lines
    name = get_segments().name(standing.segment, language)
    scores = f"recency {standing.recency}, frequency {standing.frequency}, monetary {standing.monetary}"
    lines += [
        ("segment", f"{name}: {scores} (of 1 to 5)"),
        (
            f"worth in {look.horizon_months} months",
            f"{_about(standing.clv_minor or 0, facts.currency)} expected; at least 8 in 10 like them bring "
            f"{_about(standing.clv_low_minor or 0, facts.currency)} to "
            f"{_about(standing.clv_high_minor or 0, facts.currency)}",
        ),
        (f"buys in {look.again_days} days", f"{standing.p_buy or 0:.0%}"),
    ]
    if standing.expected_next_at:
        lines.append(("next order expected", f"{standing.expected_next_at:%Y-%m-%d}, by their own rhythm"))
    lines.append(("by", f"{standing.method}, on {standing.computed_at:%Y-%m-%d %H:%M} UTC"))
    return lines


def _about(minor: int, currency: str) -> str:
    """An amount in whole units: what is expected is not known to the cent."""
    unit = 10 ** get_currency_precision(currency)
    return money(round(minor / unit) * unit, currency, DEFAULT_LANGUAGE)


def _print_json(found: dict[str, Any]) -> None:
    print(json.dumps(found, ensure_ascii=False, indent=1, default=_plain))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)
