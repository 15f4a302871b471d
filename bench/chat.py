"""How long a whole chat turn takes, beside stock Rasa in the same run.

    uv run python -m bench.chat [--turns 100] [--starts 2]

A turn is web API → Rasa → action → database → reply. Both sides run the same app, actions, database and
data; the reference is Rasa as `rasa init` sets it up (bench/reference/), none of our patches, with a durable
tracker. The two are measured in turns, block by block, so that the machine's moods hit both. Memory is Rasa
plus app. The first run trains the reference model; it is kept in var/bench/.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil
import yaml

from rapport import demo, migrations
from rapport.cli import bot_environment, model
from rapport.cli.train import train_if_needed
from rapport.kit import clock
from rapport.kit.database import make_engine, session_scope
from rapport.kit.settings import ROOT
from tests.e2e.test_many_conversations import SENTENCES
from tests.stack import Stack, Talk, wait_until

REFERENCE = ROOT / "bench" / "reference"
KEPT = ROOT / "var" / "bench"
SECRET = "bench-secret-0123456789-0123456789-0123"
START_SECONDS = 300


@dataclass
class Side:
    """One of the two: its processes and what was measured of them."""

    name: str
    rasa_command: list[str]
    folder: Path = field(default_factory=lambda: Path(mkdtemp(prefix="rapport-bench-")))
    turns: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    early: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    memory: float = 0.0

    def __post_init__(self) -> None:
        self.stack = Stack(
            self.folder, RAPPORT_SECRET_KEY=SECRET, RAPPORT_BOT_SECRET=SECRET, RAPPORT_LOG_LEVEL="WARNING"
        )
        self.stack.environment |= {
            "RAPPORT_PORT": str(self.stack.port),
            "RAPPORT_ACTIONS_URL": f"{self.stack.url}/actions/webhook",
            "REFERENCE_TRACKER": str(self.folder / "tracker.db"),
            "RASA_TELEMETRY_ENABLED": "false",
            "PYTHONPATH": str(ROOT),
        }
        engine = make_engine(self.stack.environment["RAPPORT_DATABASE_URL"])
        migrations.upgrade(engine)
        with session_scope(engine) as session:
            demo.load(session, clock.now().date())
        engine.dispose()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start Rasa and the app; the time until the first chat message is answered counts."""
        began = time.monotonic()
        bot = {k: v for k, v in self.stack.environment.items() if k not in bot_environment.FOREIGN_VARIABLES}
        bot["PYTHONPATH"] = str(ROOT)
        commands = [
            ([*self.rasa_command, "--port", str(self.stack.rasa_port)], bot),
            ([sys.executable, "-m", "rapport.app"], self.stack.environment),
        ]
        with (self.folder / "log").open("ab") as log:
            self.processes = [
                subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log)
                for command, env in commands
            ]
        wait_until(self.stack.answers, START_SECONDS, f"{self.name}; see {self.folder / 'log'}")
        self.stack.talk().send("hello")
        self.starts.append(time.monotonic() - began)

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()

    def measure_turns(self, count: int) -> None:
        """`count` turns one after the other, ten to a conversation."""
        for _ in range(count // len(SENTENCES)):
            self.turns += [timed(talk, sentence) for talk in [self.stack.talk()] for sentence in SENTENCES]

    def measure_rate(self, users: int = 10) -> None:
        """Messages per second with ten users at once, each waiting for the answer before the next message."""
        talks = [self.stack.talk() for _ in range(users)]
        began = time.monotonic()
        with ThreadPoolExecutor(users) as pool:
            list(pool.map(lambda talk: [talk.send(sentence) for sentence in SENTENCES], talks))
        self.rates.append(users * len(SENTENCES) / (time.monotonic() - began))

    def measure_long(self) -> None:
        """Messages 3 to 12 of a conversation against 196 to 205 (each sentence once)."""
        talk = self.stack.talk()
        times = [timed(talk, SENTENCES[i % len(SENTENCES)]) for i in range(206)]
        self.early += times[2:12]
        self.late += times[195:205]

    def measure_memory(self) -> None:
        """Resident memory of Rasa and the app with their children, in MB."""
        every = [
            relative
            for process in self.processes
            for relative in [
                psutil.Process(process.pid),
                *psutil.Process(process.pid).children(recursive=True),
            ]
        ]
        self.memory = sum(process.memory_info().rss for process in every) / 1e6


def timed(talk: Talk, sentence: str) -> float:
    """Milliseconds until the answer to `sentence` is there."""
    began = time.perf_counter()
    talk.send(sentence)
    return (time.perf_counter() - began) * 1000


def reference_model(retrain: bool) -> Path:
    """The reference's model, trained when there is none."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / "reference.tar.gz"
    if path.is_file() and not retrain:
        return path
    print("Training the reference model (once; a quarter of an hour) …", flush=True)
    env = bot_environment.clean_environment(PYTHONPATH=str(ROOT), RASA_TELEMETRY_ENABLED="false")
    command = [
        *(bot_environment.python(), "-m", "rasa", "train", "--config", REFERENCE / "config.yml"),
        *("--domain", ROOT / "domain.yml", "--data", ROOT / "data", "--out", KEPT),
        *("--fixed-model-name", "reference", "--force", "--skip-validation"),
    ]
    with (KEPT / "training.log").open("wb") as log:
        subprocess.run(command, env=env, cwd=ROOT, stdout=log, stderr=log, check=True)
    return path


def sides(retrain: bool) -> tuple[Side, Side]:
    python = str(bot_environment.python())
    train_if_needed()
    newest = model.newest(ROOT / "models")
    assert newest is not None
    ours = Side("Rapport", [python, str(ROOT / "bot" / "serve.py"), "--model", str(newest.path)])
    stock = Side(
        "stock Rasa",
        [
            *(
                python,
                "-m",
                "rasa",
                "run",
                "--interface",
                "127.0.0.1",
                "--model",
                str(reference_model(retrain)),
            ),
            *("--credentials", str(REFERENCE / "credentials.yml")),
            *("--endpoints", str(REFERENCE / "endpoints.yml")),
        ],
    )
    return ours, stock


def same_responses(ours: Side, stock: Side) -> int:
    """How many of the sentences are understood alike on both sides: the same work has to be compared.

    Stock Rasa words a response at random, so texts are looked up in the response files, whose names count.
    """
    known = wordings()

    def name_of(text: str) -> str:
        return next((name for wording, name in known if wording.fullmatch(text)), text)

    def answers(side: Side) -> list[list[str]]:
        talk = side.stack.talk()
        return [[name_of(reply["text"] or "") for reply in talk.send(sentence)] for sentence in SENTENCES]

    pairs = list(zip(SENTENCES, answers(ours), answers(stock), strict=True))
    for sentence, a, b in pairs:
        if a != b:
            print(f"  {sentence!r}: {a} against {b}", flush=True)
    return sum(a == b for _, a, b in pairs)


def wordings() -> list[tuple[re.Pattern[str], str]]:
    """Every wording with the name of its response; those that leave least open come first."""
    texts = [
        (variation["text"], name)
        for file in sorted((ROOT / "data" / "responses").glob("*.yml"))
        for name, variations in yaml.safe_load(file.read_text(encoding="utf-8"))["responses"].items()
        for variation in variations
    ]
    fixed = [(re.split(r"\{\w+\}", text), name) for text, name in texts]
    fixed.sort(key=lambda item: -sum(map(len, item[0])))
    return [(re.compile(".+".join(map(re.escape, parts)), re.DOTALL), name) for parts, name in fixed]


def report(ours: Side, stock: Side) -> None:
    def p95(times: list[float]) -> float:
        return statistics.quantiles(times, n=20)[-1]

    def long_ratio(side: Side) -> float:
        return statistics.median(side.late) / statistics.median(side.early)

    median = statistics.median
    rows: list[tuple[str, float, float, str]] = [
        ("turn, p50 (ms)", median(ours.turns), median(stock.turns), "≤ 40%, aim 25%"),
        ("turn, p95 (ms)", p95(ours.turns), p95(stock.turns), ""),
        ("messages/s, 10 users", median(ours.rates), median(stock.rates), "≥ 250%, aim 400%"),
        ("memory (MB)", ours.memory, stock.memory, "≤ 60%"),
        ("start to first answer (s)", median(ours.starts), median(stock.starts), "≤ 33%"),
        ("message 200 / message 5", long_ratio(ours), long_ratio(stock), "ours ≤ 1.5"),
    ]
    print(f"\n{'':<28}{ours.name:>10}{stock.name:>12}{'ratio':>8}   bar")
    for name, a, b, bar in rows:
        print(f"{name:<28}{a:>10.1f}{b:>12.1f}{a / b:>8.0%}   {bar}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=100, help="turns in each of three blocks (default 100)")
    parser.add_argument("--starts", type=int, default=2, help="how often each side is started (default 2)")
    parser.add_argument(
        "--retrain", action="store_true", help="train the reference anew, after larger changes"
    )
    options = parser.parse_args()
    os.environ |= {"RAPPORT_SECRET_KEY": SECRET, "RAPPORT_BOT_SECRET": SECRET}
    ours, stock = sides(options.retrain)
    both: Any = (ours, stock)
    try:
        for start in range(options.starts):
            for side in both:
                print(f"Starting {side.name} …", flush=True)
                side.start()
                if start < options.starts - 1:
                    side.stop()
        same = same_responses(ours, stock)
        print(f"The same response to {same} of {len(SENTENCES)} sentences.", flush=True)
        for side in both:
            side.measure_turns(20)  # not counted: warms caches on both sides alike
            side.turns.clear()
        for block in range(3):
            print(f"Block {block + 1} of 3 …", flush=True)
            for side in both:
                side.measure_turns(options.turns)
                side.measure_rate()
        print("Long conversations …", flush=True)
        for side in both:
            side.measure_long()
            side.measure_memory()
    finally:
        for side in both:
            side.stop()
    report(ours, stock)


if __name__ == "__main__":
    main()
