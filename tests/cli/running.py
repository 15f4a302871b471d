"""Runs `rapport` as a user does: a process of its own with arguments, environment, output and exit code.

The process is forked from one that has imported the commands already, which takes a tenth of the time.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.process import BaseProcess
from pathlib import Path

# Before the first command: rich looks at these when it is imported.
SHOWN = {"NO_COLOR": "1", "COLUMNS": "140", "TERM": "dumb"}
TIMEOUT_SECONDS = 120

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["rapport.cli.main"])


def start(folder: Path, *arguments: str, stdin: str = "", **environment: str) -> BaseProcess:
    """`rapport ARGUMENTS`, begun; what it prints goes to the files out and err of `folder`."""
    files = [folder / name for name in ("in", "out", "err")]
    files[0].write_text(stdin, "utf-8")
    before = dict(os.environ)
    os.environ.update(SHOWN)  # the first call starts the process that is forked from
    try:
        wanted = {**before, **SHOWN, **environment}
        process = _processes.Process(target=_run, args=(arguments, wanted, [str(file) for file in files]))
        process.start()
    finally:
        for name in SHOWN:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]
    return process


def rapport(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """What `rapport ARGUMENTS` prints and exits with; `environment` on top of this process's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process = start(folder, *arguments, stdin=stdin, **environment)
        process.join(TIMEOUT_SECONDS)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f"rapport {arguments} took more than {TIMEOUT_SECONDS} s")
        out, err = ((folder / file).read_text("utf-8") for file in ("out", "err"))
        return subprocess.CompletedProcess(arguments, process.exitcode or 0, out, err)


def _run(arguments: tuple[str, ...], environment: dict[str, str], files: list[str]) -> None:
    for number, (file, flags) in enumerate(
        zip(files, [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT], strict=True)
    ):
        descriptor = os.open(file, flags, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["rapport", *arguments]
    from rapport.cli.main import main  # imported in the process this one was forked from

    main()
