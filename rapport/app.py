"""The app: web chat, actions, pages and background work in one process.

`python -m rapport.app [--host HOST] [--port PORT] [--parent-pipe FD]`
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from types import FrameType

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from actions import server as actions
from rapport import health
from rapport.api import app as shop_api
from rapport.channels import registry, site
from rapport.channels.base import FetchingChannel, MessagingChannel
from rapport.channels.sending import Sender
from rapport.channels.web import WebChannel
from rapport.channels.webhook import Webhooks
from rapport.connectors import webhooks
from rapport.console import app as console
from rapport.console import dev_mail
from rapport.console.desk import Parts
from rapport.conversations import language, values
from rapport.conversations.engine import THREADS, ConversationEngine
from rapport.conversations.events import Events
from rapport.conversations.rasa import Rasa
from rapport.conversations.texts import TROUBLE, TROUBLE_FILE, load_response
from rapport.conversations.turn import Turns
from rapport.edits import source as edits
from rapport.kit import logs, middleware, problems
from rapport.kit.database import get_engine
from rapport.kit.errors import RapportError
from rapport.kit.http import LimitedHead
from rapport.kit.settings import Settings, get_settings
from rapport.mentions import registry as sources
from rapport.mentions.webhook import MAX_BODIES, MentionWebhooks
from rapport.outreach.mail import FolderMailer, make_mailer
from rapport.preferences import pages as preference_pages
from rapport.preferences import subscribe_pages
from rapport.preferences.visitors import Visitors
from rapport.shop.catalogue import Catalogue
from rapport.site import api as site_events
from rapport.worker import Worker

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 2
# If the orderly way out takes longer than this, the process leaves all the same.
LAST_CALL_SECONDS = 8
# What is left of it when the server has ended, for what is in somebody's hands: a message that is cut off
# while a provider takes it is sent again.
LEAVING_SECONDS = LAST_CALL_SECONDS - SHUTDOWN_SECONDS - 1
ACTIONS_PATH = "/actions/webhook"
# What pages of other sites may ask for.
OPEN_PATHS = (
    "/api/chat/",
    "/api/demo/",
    site_events.PATH,
    subscribe_pages.API_PATH,
    "/widget.js",
    "/site.js",
)


def create_app(
    settings: Settings | None = None,
    database: Engine | None = None,
    channels: Mapping[str, MessagingChannel] | None = None,
) -> FastAPI:
    """The app with all its parts; they start and stop with its lifespan.

    Messaging apps are those that the settings switch on, unless others are given.

    Raises ConfigurationError when a file it needs is missing or wrong.
    """
    settings = settings or get_settings()
    database = database or get_engine()
    edits.follow(lambda: database)
    rasa = Rasa(settings.rasa_url, settings.bot_secret.get_secret_value(), connections=THREADS + 2)
    events = Events()
    turns = Turns(database, rasa, events, Catalogue(database), load_response(TROUBLE, TROUBLE_FILE))
    engine = ConversationEngine(database, turns)
    messaging = registry.make(settings) if channels is None else channels
    sender = Sender(database, messaging)
    heard = sources.make(settings)
    told = MentionWebhooks(settings, database, heard)
    received = Webhooks(settings, database, engine, messaging, {"messenger": told.beside_messenger})
    fetching = [channel for channel in messaging.values() if isinstance(channel, FetchingChannel)]
    mailer = make_mailer(settings)
    worker = Worker(database, mailer)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        language.warm_up()
        values.warm_up()
        engine.start()
        if settings.background:
            worker.start()
        sender.start()
        for channel in fetching:
            channel.start(partial(received.take, channel))
        yield
        end = time.monotonic() + LEAVING_SECONDS
        events.close()
        worker.stop(0)  # told now, waited for below
        for channel in fetching:
            channel.stop()
        engine.stop()
        sender.stop(max(end - time.monotonic(), 0))
        worker.stop(max(end - time.monotonic(), 0))
        rasa.close()

    app = FastAPI(
        title="Rapport", version=version("rapport"), docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.state.events = events
    problems.install(app)
    app.include_router(WebChannel(settings, database, engine, events, messaging).router())
    app.include_router(site_events.SiteEvents(settings, database).router())
    app.include_router(received.router())
    app.include_router(health.router(database, rasa))
    app.include_router(actions.router)
    app.include_router(webhooks.router(settings, database))
    app.include_router(told.router())
    visitors = Visitors(settings, database)
    app.include_router(preference_pages.router(settings, database, visitors, messaging))
    app.include_router(subscribe_pages.router(settings, database, visitors))
    app.mount(shop_api.PATH, shop_api.create(settings, database))
    app.mount(console.PATH, console.create(Parts(settings, database, engine, events, heard)))
    if isinstance(mailer, FolderMailer):
        app.include_router(dev_mail.router(mailer))
    app.include_router(site.router(database, settings.demo))
    if settings.demo:
        app.mount("/demo", site.DemoFiles(directory=site.DEMO))
    _add_middleware(app, settings, received)
    return app


def _add_middleware(app: FastAPI, settings: Settings, received: Webhooks) -> None:
    """What is added last comes first: headers, then CORS, then errors, then the body's limit."""
    origins = [origin.strip() for origin in settings.allowed_origins.split(",") if origin.strip()]

    def cors(inner: ASGIApp) -> ASGIApp:
        opened = CORSMiddleware(
            inner,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
            expose_headers=["Retry-After"],
            max_age=600,
        )
        # Not the shop API and the webhooks: their callers are servers, and their keys belong into no page.
        return middleware.OnlyUnder(inner, opened, OPEN_PATHS)

    larger = {
        **MAX_BODIES,
        site_events.PATH: site_events.MAX_BODY_BYTES,
        webhooks.PATH: webhooks.MAX_BODY_BYTES,
        **received.max_bodies,
        shop_api.PATH: shop_api.MAX_BODY_BYTES,
        console.PATH: console.MAX_BODY_BYTES,
    }
    app.add_middleware(middleware.BodyLimit, except_paths=[ACTIONS_PATH], larger=larger)
    app.add_middleware(middleware.LastResort)
    app.add_middleware(cors)
    app.add_middleware(middleware.SecurityHeaders)


class Server(uvicorn.Server):
    """Ends streams and waits as soon as it is told to stop, so that stopping takes no longer than it must."""

    def __init__(self, config: uvicorn.Config, events: Events) -> None:
        super().__init__(config)
        self._events = events

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # A signal handler may have interrupted a thread that holds a lock: not from here.
        threading.Thread(target=self._events.close, name="closing", daemon=True).start()
        super().handle_exit(sig, frame)


def make_server(app: FastAPI, host: str, port: int) -> Server:
    """The HTTP server around an app of `create_app`; port 0 takes a free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        http=LimitedHead,
        # Whom to believe about forwarded addresses is decided in one place: rapport/kit/addresses.py.
        proxy_headers=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return Server(config, app.state.events)


def _leave_with_parent(pipe: int) -> None:
    """Stops this process when the other end of `pipe` closes, which it does even if the parent is killed."""

    def watch() -> None:
        while os.read(pipe, 1024):
            pass
        log.info("The supervisor has gone.")
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(LAST_CALL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until told to stop by SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m rapport.app", description="Run Rapport's app.")
    parser.add_argument("--host", help="address to listen on (default: RAPPORT_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (default: RAPPORT_PORT)")
    parser.add_argument(
        "--parent-pipe", type=int, metavar="FD", help="leave when the other end of this pipe closes"
    )
    options = parser.parse_args(arguments)
    if options.parent_pipe is not None:
        _leave_with_parent(options.parent_pipe)
    try:
        settings = get_settings()
        logs.configure(settings.log_level)
        app = create_app(settings)
    except RapportError as error:
        sys.exit(str(error))
    with suppress(KeyboardInterrupt):  # Ctrl-C, raised once more when everything has ended
        make_server(app, options.host or settings.host, options.port or settings.port).run()


if __name__ == "__main__":
    main()
