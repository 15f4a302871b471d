"""Ports for servers that are told theirs, or that go away and come back to the one they had."""

from __future__ import annotations

import os
import random
import socket
from itertools import count

# Below those that Linux (32768) and others give to whoever asks for port 0: nearly each test does that, and
# one port in a thousand was somebody else's by the time its server had started. Each of pytest's processes
# has some of its own.
FIRST, EACH, PROCESSES = 20_000, 1_000, 12
_OURS = FIRST + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % PROCESSES * EACH
# From anywhere: another run of the tests on this machine should not meet this one at each of them.
_steps = count(random.randrange(EACH))


def free_port() -> int:
    """A port nobody listens at, that nothing else here will be given."""
    for step in _steps:
        port = _OURS + step % EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("it counts for ever")
