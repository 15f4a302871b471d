"""Starts Rasa for Rapport: `bot/.venv/bin/python bot/serve.py [--host] [--port] [--model FILE] [--parent-
pipe FD]`.

One process, our channel only. It says "ready" on its standard output once the model is loaded and the port
is open. Environment: RAPPORT_BOT_SECRET (needed), RAPPORT_ACTIONS_URL, RAPPORT_TRACKER_URL.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

ROOT = Path(__file__).resolve().parent.parent

if TYPE_CHECKING:
    from rasa.core.agent import Agent

    from bot.turn import Turns


def main() -> None:
    """Serves until stopped; one clear line and exit code 1 when it cannot start."""
    started = time.monotonic()
    options = read_options()
    if options.parent_pipe is not None:
        die_with_parent(options.parent_pipe)
    prepare_environment()
    secret = os.environ.get("RAPPORT_BOT_SECRET", "")
    if not secret:
        fail("RAPPORT_BOT_SECRET is not set: it is the secret that the app and Rasa share")
    listener = listen(options.host, options.port)
    try:
        model = options.model or live_model(ROOT / "models")
        serve(model, secret, listener, started)
    except (OSError, ValueError, RuntimeError) as error:
        fail(f"cannot start: {error}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Start Rasa for Rapport.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5005)
    parser.add_argument("--model", type=Path, help="a trained model; default: the live one in models/")
    parser.add_argument(
        "--parent-pipe", type=int, metavar="FD", help="end when this file descriptor reaches its end"
    )
    return parser.parse_args()


def die_with_parent(fd: int) -> None:
    """The parent holds the other end of a pipe and never writes.

    It closes however the parent ends, also by kill -9.
    """

    def wait() -> None:
        while True:
            try:
                if not os.read(fd, 1):
                    break
            except OSError:
                break
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # with the helpers that training has
        os._exit(0)

    threading.Thread(target=wait, name="parent-pipe", daemon=True).start()


def prepare_environment() -> None:
    """What must be set before Rasa and TensorFlow are imported."""
    # The module path of our parts is bot.…, as in config.yml; as a script, Python would have put bot/
    # itself first.
    sys.path[0] = str(ROOT)
    for name, value in {
        "RASA_TELEMETRY_ENABLED": "false",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        "RAPPORT_ACTIONS_URL": "http://127.0.0.1:8000/actions/webhook",
        "RAPPORT_TRACKER_URL": f"sqlite:///{ROOT / 'var' / 'tracker.db'}",
    }.items():
        os.environ.setdefault(name, value)
    from bot import logs

    logs.configure()


def listen(host: str, port: int) -> socket.socket:
    """Takes the port before the slow part, so that a port in use is said at once."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        fail(f"port {port} on {host} cannot be used: {error.strerror}")
    return listener


def live_model(folder: Path) -> Path:
    """The one that live.txt names, or else the newest. Raises ValueError when there is none."""
    pointer = folder / "live.txt"
    if pointer.is_file():
        named = folder / f"{pointer.read_text(encoding='utf-8').strip()}.tar.gz"
        if named.is_file():
            return named
    models = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise ValueError(f"no model in {folder}: run `rapport train`")
    return models[-1]


def serve(model: Path, secret: str, listener: socket.socket, started: float) -> None:
    from bot import speedups

    speedups.apply()
    from bot.actions_client import ActionEndpoint
    from bot.channel import RapportChannel, make_app

    turns, agent = load(model)
    speedups.freeze_memory()
    app = make_app(RapportChannel(secret, turns))

    async def say_ready(*_: object) -> None:
        host, port = listener.getsockname()[:2]
        print(
            f"ready: {model.name} on http://{host}:{port} after {time.monotonic() - started:.1f} s",
            flush=True,
        )

    async def close(*_: object) -> None:
        if isinstance(agent.action_endpoint, ActionEndpoint):
            await agent.action_endpoint.close()

    app.register_listener(say_ready, "after_server_start")
    app.register_listener(close, "after_server_stop")
    app.run(sock=listener, access_log=False, motd=False)


def load(model: Path, endpoints_file: Path = ROOT / "bot" / "endpoints.yml") -> "tuple[Turns, Agent]":
    """The loaded model, ready to take turns. Raises ValueError when the file is no model."""
    from rasa.core.agent import Agent
    from rasa.core.tracker_store import TrackerStore
    from rasa.core.utils import AvailableEndpoints

    from bot.actions_client import ActionEndpoint
    from bot.trackers import RapportTrackerStore
    from bot.turn import Turns

    if not model.is_file():
        raise ValueError(f"no such model: {model}")
    endpoints = AvailableEndpoints.read_endpoints(str(endpoints_file))
    make_folder_of(os.environ["RAPPORT_TRACKER_URL"])
    store = TrackerStore.create(endpoints.tracker_store)
    if not isinstance(store, RapportTrackerStore):
        raise ValueError(f"{endpoints_file} must name bot.trackers.RapportTrackerStore")
    try:
        agent = Agent.load(
            model,
            tracker_store=store,
            action_endpoint=ActionEndpoint.of(endpoints.action),
            generator=endpoints.nlg,
        )
    except Exception as error:
        raise ValueError(
            f"{model} is no model this bot can load ({error}): run `rapport train --force`"
        ) from error
    return Turns(agent, store), agent


def make_folder_of(url: str) -> None:
    if url.startswith("sqlite:///"):
        Path(url[len("sqlite:///") :]).parent.mkdir(parents=True, exist_ok=True)


def fail(message: str) -> NoReturn:
    print(f"bot: {message}", file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
