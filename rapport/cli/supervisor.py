"""Runs the parts (Rasa, the app) as children of this process, restarts what dies, ends all of it.

Each child holds the reading end of a pipe whose writing end only this process has: when this process goes,
even by kill -9, the pipe closes and the child ends itself. No part ever outlives its supervisor.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests

from rapport.kit.errors import RapportError

STOP_SECONDS = 8.0
HEALTHY_AFTER_SECONDS = 30.0
MAX_QUICK_DEATHS = 5
LOOK_SECONDS = 1.0


@dataclass
class Part:
    """One child process: how to start it and how to tell that it answers.

    `fresh_command`, if given, is asked now and then; with another answer the part is started again so.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    ready_url: str
    ready_headers: dict[str, str] = field(default_factory=dict)
    fresh_command: Callable[[], list[str]] | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    quick_deaths: int = 0

    def tail(self, lines: int = 12) -> str:
        """The end of the part's log, for error messages."""
        if not self.log.is_file():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


class Supervisor:
    """Starts parts, waits until they answer, watches them, stops them."""

    def __init__(self, parts: list[Part], state_file: Path, say: Callable[[str], None]) -> None:
        self.parts = parts
        self._state_file = state_file
        self._say = say
        self._stopping = threading.Event()
        self._pipe_read, self._pipe_write = os.pipe()

    def start(self) -> None:
        """Start every part, without waiting."""
        for part in self.parts:
            self._spawn(part)

    def wait_ready(self, timeout: float, progress: Callable[[Part], None]) -> None:
        """Return when every part answers; `progress` is told of each as it does.

        Raises RapportError with the end of its log when one dies or `timeout` seconds pass.
        """
        waiting = list(self.parts)
        end = time.monotonic() + timeout
        while waiting:
            for part in list(waiting):
                if part.process is not None and part.process.poll() is not None:
                    raise RapportError(f"{part.name} stopped while starting. Its last words:\n{part.tail()}")
                if _answers(part):
                    waiting.remove(part)
                    progress(part)
            if waiting and time.monotonic() > end:
                raise RapportError(
                    f"{waiting[0].name} did not answer within {timeout:.0f} s; see {waiting[0].log}\n"
                    f"{waiting[0].tail()}"
                )
            time.sleep(0.05)

    def watch(self) -> None:
        """Restart parts that die, until `stop` is called from a signal handler or another thread.

        Raises RapportError when a part keeps dying.
        """
        looked = time.monotonic()
        while not self._stopping.wait(0.2):
            look = time.monotonic() - looked > LOOK_SECONDS
            looked = time.monotonic() if look else looked
            for part in self.parts:
                assert part.process is not None
                code = part.process.poll()
                if code is not None and not self._stopping.is_set():
                    self._restart(part, code)
                elif look and not self._stopping.is_set():
                    self._renew(part)

    def stop(self) -> None:
        """End every part: ask, wait, then kill. Safe to call twice."""
        self._stopping.set()
        for part in self.parts:
            if part.process is not None and part.process.poll() is None:
                part.process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for part in self.parts:
            if part.process is None:
                continue
            try:
                part.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()
        self._state_file.unlink(missing_ok=True)

    def request_stop(self) -> None:
        """Make `watch` return; for signal handlers."""
        self._stopping.set()

    def _renew(self, part: Part) -> None:
        """Ends and starts a part that is to be run otherwise; what it had in hand comes again."""
        try:
            command = part.fresh_command() if part.fresh_command else part.command
        except (RapportError, OSError, ValueError) as error:
            self._say(f"{part.name} goes on as it is: {error}")
            part.fresh_command = None
            return
        if command == part.command or part.process is None:
            return
        self._say(f"{part.name} starts again with {Path(command[-1]).name} …")
        part.command = command
        part.process.terminate()
        try:
            part.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            part.process.kill()
            part.process.wait()
        part.quick_deaths = 0
        if not self._stopping.is_set():
            self._spawn(part)

    def _spawn(self, part: Part) -> None:
        part.log.parent.mkdir(parents=True, exist_ok=True)
        with part.log.open("ab") as log:
            part.process = subprocess.Popen(
                [*part.command, "--parent-pipe", str(self._pipe_read)],
                env=part.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(self._pipe_read,),
                # Ctrl-C reaches only us: we end the parts in order.
                start_new_session=True,
            )
        part.started_at = time.monotonic()
        self._write_state()

    def _write_state(self) -> None:
        """Which processes run, for `rapport doctor` and for tests."""
        pids = {part.name: part.process.pid for part in self.parts if part.process}
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        state = {"supervisor": os.getpid(), "parts": pids}
        # Nobody may read half a file.
        written = self._state_file.with_suffix(".new")
        written.write_text(json.dumps(state), encoding="utf-8")
        written.replace(self._state_file)

    def _restart(self, part: Part, code: int) -> None:
        lived = time.monotonic() - part.started_at
        part.quick_deaths = 0 if lived > HEALTHY_AFTER_SECONDS else part.quick_deaths + 1
        if part.quick_deaths >= MAX_QUICK_DEATHS:
            raise RapportError(f"{part.name} keeps stopping ({_cause(code)}). Its last words:\n{part.tail()}")
        self._say(f"{part.name} stopped ({_cause(code)}); starting it again …")
        delay = 0.0 if part.quick_deaths <= 1 else min(2.0**part.quick_deaths, 10.0)
        if not self._stopping.wait(delay):
            self._spawn(part)


def _answers(part: Part) -> bool:
    try:
        return requests.get(part.ready_url, headers=part.ready_headers, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def _cause(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
