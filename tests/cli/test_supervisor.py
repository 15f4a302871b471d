"""The supervisor over real processes: a small web server stands in for the parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rapport.cli.supervisor import Part, Supervisor
from rapport.kit.errors import RapportError
from tests.ports import free_port
from tests.stack import wait_until

SERVER = textwrap.dedent(
    """
    import argparse, http.server, os, threading
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int)
    options.add_argument("--parent-pipe", type=int)
    options = options.parse_args()
    def watch():
        os.read(options.parent_pipe, 1)
        os._exit(0)
    threading.Thread(target=watch, daemon=True).start()
    print("serving", flush=True)
    http.server.ThreadingHTTPServer(
        ("127.0.0.1", options.port), http.server.SimpleHTTPRequestHandler
    ).serve_forever()
    """
)


def server(folder: Path, name: str = "server", code: str = SERVER) -> Part:
    script, port = folder / f"{name}.py", free_port()
    script.write_text(code, encoding="utf-8")
    return Part(
        name=name,
        command=[sys.executable, str(script), "--port", str(port)],
        environment=dict(os.environ),
        log=folder / f"{name}.log",
        ready_url=f"http://127.0.0.1:{port}/",
    )


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(
        [server(tmp_path, "one"), server(tmp_path, "two")], tmp_path / "run.json", said.append
    )
    yield supervisor
    supervisor.stop()


def pid(supervisor: Supervisor, index: int) -> int:
    process = supervisor.parts[index].process
    assert process is not None
    return process.pid


def test_parts_start_answer_and_stop(supervisor: Supervisor, tmp_path: Path) -> None:
    ready: list[str] = []
    supervisor.start()
    supervisor.wait_ready(20, lambda part: ready.append(part.name))
    assert sorted(ready) == ["one", "two"]
    state = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert state == {
        "supervisor": os.getpid(),
        "parts": {"one": pid(supervisor, 0), "two": pid(supervisor, 1)},
    }
    supervisor.stop()
    assert all(part.process is not None and part.process.poll() is not None for part in supervisor.parts)
    assert not (tmp_path / "run.json").exists()


def test_a_part_that_dies_is_started_again_and_said_so(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start()
    supervisor.wait_ready(20, lambda _: None)
    watching = threading.Thread(target=supervisor.watch)
    watching.start()
    dead = pid(supervisor, 0)
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: pid(supervisor, 0) != dead, 10, "a new process")
    supervisor.wait_ready(20, lambda _: None)
    supervisor.request_stop()
    watching.join()
    assert said == ["one stopped (signal SIGKILL); starting it again …"]


def test_a_part_that_cannot_start_is_reported_with_its_last_words(tmp_path: Path, said: list[str]) -> None:
    broken = server(tmp_path, "broken", "raise SystemExit('no model here')")
    supervisor = Supervisor([broken], tmp_path / "run.json", said.append)
    supervisor.start()
    with pytest.raises(RapportError, match=r"broken stopped while starting[\s\S]*no model here"):
        supervisor.wait_ready(20, lambda _: None)
    supervisor.stop()


def test_a_part_that_keeps_dying_ends_the_watch(tmp_path: Path, said: list[str]) -> None:
    broken = server(tmp_path, "broken", "raise SystemExit('again')")
    broken.quick_deaths = 4
    supervisor = Supervisor([broken], tmp_path / "run.json", said.append)
    supervisor.start()
    with pytest.raises(RapportError, match="keeps stopping"):
        supervisor.watch()
    supervisor.stop()


def test_parts_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    part = server(tmp_path, "one")
    parent = tmp_path / "parent.py"
    parent.write_text(
        textwrap.dedent(
            f"""
            import os
            from pathlib import Path
            from rapport.cli.supervisor import Part, Supervisor
            log, command = Path({str(part.log)!r}), {part.command!r}
            part = Part("one", command, dict(os.environ), log, {part.ready_url!r})
            supervisor = Supervisor([part], Path({str(tmp_path / "run.json")!r}), print)
            supervisor.start()
            supervisor.wait_ready(20, lambda _: print("ready", part.process.pid, flush=True))
            supervisor.watch()
            """
        ),
        encoding="utf-8",
    )
    with subprocess.Popen([sys.executable, str(parent)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline().split()[1]))
        process.kill()
    gone, alive = psutil.wait_procs([child], timeout=5)
    assert (gone, alive) == ([child], [])


def test_a_part_that_is_to_run_otherwise_is_started_again(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    part = supervisor.parts[0]
    wanted = list(part.command)
    part.fresh_command = lambda: list(wanted)
    supervisor.start()
    supervisor.wait_ready(20, lambda _part: None)
    watching = threading.Thread(target=supervisor.watch)
    watching.start()
    before, other = pid(supervisor, 0), pid(supervisor, 1)
    script = tmp_path / "second.py"
    script.write_text(SERVER, encoding="utf-8")
    wanted[1] = str(script)
    wait_until(lambda: pid(supervisor, 0) != before, 20, "another process")
    supervisor.wait_ready(20, lambda _part: None)
    assert str(script) in psutil.Process(pid(supervisor, 0)).cmdline()
    assert pid(supervisor, 1) == other
    supervisor.request_stop()
    watching.join(10)
    assert len(said) == 1
