"""Every job there is, in the order in which they run when several are due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, time, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.api import tasks as api
from rapport.cases import tasks as cases
from rapport.connectors import tasks as webhooks
from rapport.handoff import tasks as handoff
from rapport.insight import tasks as insight
from rapport.kit import clock
from rapport.kit.database import learn_sizes, session_scope
from rapport.loyalty.offers import tasks as offers
from rapport.loyalty.points import tasks as points
from rapport.loyalty.referrals import tasks as referrals
from rapport.mentions import tasks as mentions
from rapport.outreach.journeys import tasks as journeys
from rapport.preferences import subscribing
from rapport.schedule.rules import Daily, Every
from rapport.schedule.service import Job
from rapport.site import tasks as site
from rapport.value import tasks as value

# A task that has more to do is called again; this many times, then the others get their turn.
MOST_BATCHES = 200


def _points(engine: Engine) -> str:
    with session_scope(engine) as session:
        return _told(points.run(session, clock.now()))


def _value(engine: Engine) -> str:
    run = value.run(engine)
    moved = insight.count_segments(engine)
    return f"{run.customers} customers, {run.orders} orders, by {run.method}; {moved}"


def _batches(run: Callable[[Session, datetime], Counter[str]]) -> Callable[[Engine], str]:
    """`run` until it has no more to do, with a commit after each batch."""

    def work(engine: Engine) -> str:
        total: Counter[str] = Counter()
        for _ in range(MOST_BATCHES):
            with session_scope(engine) as session:
                done = run(session, clock.now())
            total += done
            if not done["more"]:
                break
        del total["more"]
        return _told(total)

    return work


def _told(done: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(done.items()) if count) or "nothing was due"


JOBS: tuple[Job, ...] = (
    Job(
        "nobody came",
        "tells who waits for a person in vain, and keeps what they wanted",
        Every(timedelta(minutes=1)),
        handoff.run,
    ),
    Job(
        "webhooks",
        "applies what shops sent and could not be applied before",
        Every(timedelta(minutes=1)),
        webhooks.apply_due,
    ),
    Job(
        "points",
        "pending points mature, holds run out, old points expire",
        Every(timedelta(minutes=15)),
        _points,
    ),
    Job("value", "what each customer is worth, and their segment", Daily(time(3, 0)), _value),
    Job(
        "figures",
        "counts talks and messages for the page of figures",
        Every(timedelta(minutes=10)),
        insight.count_days,
    ),
    Job(
        "referrals",
        "rewards who brought a friend, after the return period",
        Every(timedelta(hours=1)),
        _batches(referrals.run),
    ),
    Job(
        "offers file",
        "takes over offers.yml when it was changed",
        Every(timedelta(minutes=1)),
        offers.follow_file,
    ),
    Job(
        "offers",
        "ends old codes, gives presents for occasions",
        Every(timedelta(hours=1)),
        _batches(offers.run),
    ),
    Job(
        "journeys",
        "decides what is due on journeys, and who begins one by what they did just now",
        Every(timedelta(minutes=1)),
        journeys.run_often,
    ),
    Job(
        "who begins a journey",
        "finds who begins a journey for any reason",
        Every(timedelta(minutes=15)),
        journeys.run,
    ),
    Job(
        "cases",
        "cases that waited for a customer who has written wait no more",
        Every(timedelta(minutes=1)),
        _batches(cases.run),
    ),
    Job(
        "mentions",
        "asks what is said of the shop in public, and sends answers there",
        Every(timedelta(minutes=1)),
        mentions.run,
    ),
    Job("forget", "drops what shops sent long ago and was applied", Daily(time(4, 0)), webhooks.forget),
    Job(
        "forget subscriptions",
        "drops who asked for our mails and never said that it was they",
        Daily(time(4, 0)),
        subscribing.forget,
    ),
    Job(
        "back in stock",
        "finds who waits for a product that can be had again",
        Every(timedelta(minutes=5)),
        site.see_stock,
    ),
    Job(
        "forget the site",
        "drops what people did on the site long ago, and old wishes",
        Daily(time(4, 0)),
        site.forget,
    ),
    Job("forget answers", "drops what the shop API answered long ago", Daily(time(4, 0)), api.forget),
    Job(
        "sizes of tables",
        "lets the database see how full its tables are, so that pages stay quick",
        Daily(time(4, 30)),
        learn_sizes,
    ),
)
