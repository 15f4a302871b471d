"""`rapport worker`: the background work in a process of its own."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from rapport import migrations
from rapport.kit import logs
from rapport.kit.database import get_engine
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import get_settings
from rapport.outreach.mail import make_mailer
from rapport.worker import Worker

console = Console(highlight=False)


def command(
    senders: Annotated[
        int, typer.Option("--senders", "-s", min=1, max=32, help="How many mails may be sent at once.")
    ] = 4,
) -> None:
    """Send mails and run jobs beside the app, here or on another machine, until Ctrl-C.

    For a shop that has grown: set RAPPORT_BACKGROUND=false for the app, and run as many of these as you like.
    They share the work through the database and need nothing else; on several machines that is PostgreSQL.
    Any of them may be killed at any moment: nothing is lost, and nothing is done twice.
    """
    settings = get_settings()
    logs.configure(settings.log_level)
    engine = get_engine()
    if migrations.current(engine) != migrations.newest():
        raise ConfigurationError("The database is not at this version yet: start the app first (rapport up).")
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    worker = Worker(engine, make_mailer(settings), senders)
    worker.start()
    mails = "one mail" if senders == 1 else f"{senders} mails"
    console.print(f"Working: jobs, and {mails} at once. Ctrl-C ends it after what is in hand.")
    stopping.wait()
    worker.stop()
    console.print("Ended.")
