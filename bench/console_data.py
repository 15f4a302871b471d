"""Fills a database for bench/console.py. The same for the same seed; for each conversation a third of a
customer, and of everything else as much as comes with that.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from random import Random

from sqlalchemy import Engine, select

from bench import console_people, console_talks
from bench.console_rows import END, SPAN, Rows, Writer
from rapport.insight import tasks
from rapport.kit.database import learn_sizes, read_scope, session_scope
from rapport.loyalty.offers import sync
from rapport.loyalty.offers.models import Offer
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.replies import service as replies
from rapport.staff.models import Staff
from rapport.value.segments import get_segments

COLLEAGUES = 20


class Progress:
    """One line that tells how far it is."""

    def __init__(self, name: str) -> None:
        self._name, self._began = name, time.monotonic()

    def __call__(self, what: str, share: float | None = None) -> None:
        bar = "" if share is None else f" [{'#' * round(share * 30):<30}] {share:.0%}"
        seconds = time.monotonic() - self._began
        print(f"\r{self._name}: {what}{bar} {seconds:.0f} s".ljust(100), end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        self("written")
        print(file=sys.stderr, flush=True)


def load(engine: Engine, conversations: int, seed: int = 7) -> None:
    """Write so many conversations and what belongs to them; the database is one that was just made."""
    random, progress = Random(seed), Progress(engine.dialect.name)
    with session_scope(engine) as session:
        sync.sync(session, get_rulebook())
        for number in range(30):
            texts = dict.fromkeys(("en", "es", "nb", "ro"), "We are looking into it.")
            replies.create(session, f"Reply {number}", f"r{number}", texts)
    with read_scope(engine) as session:
        offers = list(session.scalars(select(Offer.id)))
        already = len(session.scalars(select(Staff.id)).all())
    people, staff = max(conversations // 3, 1), [*range(already + 1, already + COLLEAGUES + 1)]
    connection = engine.raw_connection()
    try:
        writer = Writer(connection.driver_connection)
        writer.begin()
        writer.write(_before(random, staff).of)
        writer.write(console_people.products().of)
        customers = console_people.people(random, people, END, offers)
        talked = console_talks.talks(random, conversations, people, staff, END)
        for what, table, count, made in (
            ("customers", "customer", people, customers),
            ("conversations", "conversation", conversations, talked),
        ):
            done = 0
            for rows in made:
                writer.write(rows.of)
                done += len(rows.of.get(table, ()))
                progress(what, done / count)
        writer.finish(progress)
    finally:
        connection.close()
    for turn in range(SPAN.days // tasks.MOST_DAYS + 1):
        progress("days counted", turn / (SPAN.days / tasks.MOST_DAYS))
        tasks.count_days(engine)
    learn_sizes(engine)
    progress.end()


def _before(random: Random, staff: list[int]) -> Rows:
    """Who works at the shop, the trainings there were, and how large each segment was day by day."""
    rows = Rows()
    for number in staff:
        rows.add(
            "staff",
            id=number,
            email=f"colleague{number}@fjordly.example",
            name=f"Colleague {number}",
            role="agent",
            language="en",
        )
    for number in range(30):
        begun = END - timedelta(days=20 * (30 - number))
        rows.add(
            "training_run",
            staff_id=random.choice(staff),
            state="worse",
            started_at=begun,
            finished_at=begun + timedelta(minutes=5),
            output="Trained.\n" * 200,
        )
    segments = get_segments().keys
    for days in range(SPAN.days):
        day = (END - timedelta(days=days)).date()
        for segment in segments:
            rows.add("segment_size", day=day, segment=segment, customers=random.randrange(3_000, 5_000))
            moved, to = random.randrange(1, 50), random.choice([one for one in segments if one != segment])
            rows.add("segment_move", day=day, from_segment=segment, to_segment=to, customers=moved)
    return rows
