"""`rapport journeys`: what is sent unasked, to whom, why, and what it brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rapport.cli.database import ready_engine
from rapport.cli.terminal import MOST_DAYS, plain
from rapport.customers import service as customers
from rapport.kit import clock
from rapport.kit.database import read_scope
from rapport.kit.errors import NotFoundError, RapportError
from rapport.kit.format import money
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.outreach.journeys import lift, results, service, tasks
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.lift import Difference, Group
from rapport.outreach.journeys.results import Fates, StepResult
from rapport.outreach.journeys.trying import Planned
from rapport.shop.facts import get_facts

LANGUAGE = "en"  # of the command line
MOST_SHOWN = 200

console = Console(highlight=False)
app = typer.Typer(help="What is sent unasked, to whom, why, and what it brings.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="The journey's name, as `rapport journeys list` has it.")]


@app.command("list")
def show_all() -> None:
    """Every journey: what begins it, who it is for, what they agreed to, and its steps."""
    table = Table("journey", "begins", "for", "consent", "steps", "gets nothing")
    with read_scope(ready_engine()) as session:
        for key, journey in service.journeys(session).items():
            table.add_row(
                key if journey.active else f"{key} (off)",
                _trigger(journey),
                escape(_audience(journey)),
                journey.purpose or "none needed",
                ", ".join(step.key for step in journey.steps),
                f"{journey.control:.0%}",
            )
    console.print(table)


@app.command("check")
def check() -> None:
    """Find mistakes in the journeys' files, in what was edited, and in the offers they name."""
    offers = {offer.key for offer in get_rulebook().offers}
    with read_scope(ready_engine()) as session:
        journeys, broken = service.journeys(session), service.broken(session)
    console.print(f"[green]✓[/green] {len(journeys)} journeys")
    wrong = [f"{section}: {'; '.join(why)}" for section, why in broken.items()]
    wrong += [
        f"{key}: step {step.key} gives the offer {step.offer}, which offers.yml does not have"
        for key, journey in journeys.items()
        for step in journey.steps
        if step.offer is not None and step.offer not in offers
    ]
    for line in wrong:
        console.print(f"[red]✗[/red] {escape(line)}", soft_wrap=True)
    if wrong:
        raise RapportError("Mend these in rapport/outreach/journeys/, offers.yml or the console.")


@app.command("preview")
def preview(
    key: Key,
    step: Annotated[str, typer.Argument(help="The step's name.")],
    customer: Annotated[str, typer.Argument(metavar="EMAIL", help="Somebody's e-mail address.")],
) -> None:
    """Show what somebody would be sent at this moment, and whether they would. Changes nothing."""
    with read_scope(ready_engine()) as session:
        who = customers.find_by_identity(session, "email", customer)
        if who is None:
            raise NotFoundError("No customer has this address.")
        seen = service.preview(session, key, step, who.id)
    decision = seen.decision
    where = f" on {decision.channel}" if decision.channel else ""
    until = f" until {decision.until:%Y-%m-%d %H:%M} UTC" if decision.until else ""
    console.print(f"{decision.outcome}{where}: {_words(decision.reason)}{until}")
    if seen.words is None:
        console.print(f"There are no words for it: {', '.join(seen.missing)} is not known.", soft_wrap=True)
        return
    console.print(f"\n[bold]{escape(plain(seen.words.subject))}[/bold]\n")
    console.print(plain(seen.words.text), markup=False, soft_wrap=True)


@app.command("run")
def run(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show who would get what and why; nothing is changed.")
    ] = False,
) -> None:
    """Find who begins a journey and decide what is due, now. The running assistant does so by itself."""
    engine = ready_engine()
    if not dry_run:
        with console.status("looking who begins a journey, and deciding what is due"):
            outcome = tasks.run(engine)
        console.print(f"[green]✓[/green] {outcome}")
        return
    with console.status("looking what would be decided"), read_scope(engine) as session:
        trial = service.dry_run(session, clock.now())
    if trial.planned:
        _show_planned(trial.planned)
    else:
        console.print("Nothing is due for anybody now.")
    if trial.cut:
        console.print(
            "There are more: only so many steps, and so many people for each journey, are looked at."
        )
    if trial.control:
        console.print(f"{trial.control} more would get nothing, to compare with")
    for key, reasons in trial.barred.items():
        console.print(f"{key}: {reasons.total()} more fit, but may not be written to: {_reasons(reasons)}")


def _show_planned(planned: Sequence[Planned]) -> None:
    table = Table("customer", "journey", "step", "would be", "why", "until (UTC)")
    for one in planned[:MOST_SHOWN]:
        until = f"{one.until:%Y-%m-%d %H:%M}" if one.until else ""
        done = f"sent on {one.channel}" if one.outcome == "send" else _outcome(one.outcome)
        table.add_row(str(one.customer_id), one.journey, one.step, done, _words(one.reason), until)
    console.print(table)
    if len(planned) > MOST_SHOWN:
        console.print(f"… and {len(planned) - MOST_SHOWN} more")
    counted = Counter(_outcome(one.outcome, past=True) for one in planned)
    console.print(", ".join(f"{count} {what}" for what, count in counted.most_common()))


@app.command("results")
def show_results(
    key: Key,
    days: Annotated[
        int, typer.Option(min=1, max=MOST_DAYS, help="Of who entered in the last so many days.")
    ] = 365,
) -> None:
    """How far people got, what was not sent and why, and what the journey brought beyond doing nothing."""
    now, currency = clock.now(), get_facts().currency
    with read_scope(ready_engine()) as session:
        journey = service.journey(session, key)
        found = results.of(session, key, journey, currency, now - timedelta(days=days), now)
        fates = results.fates(session, key, now - timedelta(days=days))
    if not found.entered:
        console.print("Nobody has entered this journey yet.")
        return
    entered = ", ".join(f"{count} {variant}" for variant, count in sorted(found.entered.items()))
    console.print(f"entered: {entered}; on their way: {found.running}")
    console.print(_steps_table(found.steps, fates))
    if journey.goal == "none":
        return
    _show_lift(found.written_to, found.control, journey, currency)
    if found.early:
        console.print(
            f"[dim]{found.early} entered less than {journey.goal_days} days ago: not compared[/dim]"
        )


def _show_lift(one: Group, control: Group, journey: Journey, currency: str) -> None:
    table = Table("", "people", journey.goal, "share", "spent each")
    for name, group in (("written to", one), ("got nothing", control)):
        each = group.each_minor
        table.add_row(
            name,
            str(group.people),
            str(group.reached),
            f"{group.share:.1%}" if group.share is not None else "",
            money(round(each), currency, LANGUAGE) if each is not None else "",
        )
    console.print(table)
    said = {
        "too_few": f"too few people to say anything: it takes {lift.FEWEST} on each side",
        "unclear": "no clear difference",
        "better": "more of those who were written to",
        "worse": "fewer of those who were written to",
    }[lift.verdict(one, control)]
    difference = lift.of_shares(one, control)
    console.print(f"{said}{_interval(difference)}")


def _interval(found: Difference | None) -> str:
    if found is None:
        return ""
    return f" ({found.value:+.1%} of people, 95 % interval {found.low:+.1%} to {found.high:+.1%})"


def _steps_table(steps: Mapping[str, StepResult], fates: Fates) -> Table:
    table = Table("step", "waiting", "sent", "what became of it", "not sent", "left before")
    for key, step in steps.items():
        became = "; ".join(f"{channel}: {_reasons(some)}" for channel, some in fates.get(key, {}).items())
        sent, skipped, left = (_counts(some) for some in (step.sent, step.skipped, step.left))
        table.add_row(key, str(step.waiting), sent, became, skipped, left)
    return table


def _counts(counts: Mapping[str, int]) -> str:
    """The sum, and of what: `12 (no consent 8, too many 4)`."""
    if not counts:
        return "0"
    return f"{sum(counts.values())} ({_reasons(counts)})"


def _reasons(counts: Mapping[str, int]) -> str:
    """`no consent 8, too many 4`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{_words(name)} {count}" for name, count in ordered)


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _outcome(outcome: str, past: bool = False) -> str:
    return {"send": "sent" if past else "send", "later": "put off", "never": "not sent"}[outcome]


def _trigger(journey: Journey) -> str:
    given = journey.trigger
    some = [f"{given.days:g} days" if given.days else "", f"{given.minutes} minutes" if given.minutes else ""]
    return " ".join([_words(given.on), *(part for part in some if part)])


def _audience(journey: Journey) -> str:
    asked = journey.audience.model_dump(exclude_defaults=True)
    return "; ".join(
        f"{_words(name)}: {', '.join(value) if isinstance(value, (list, tuple)) else value}"
        for name, value in asked.items()
    )
