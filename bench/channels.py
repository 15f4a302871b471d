"""What becomes of many conversations over all messaging apps while providers stumble and parts are killed.

    uv run python -m bench.channels [--people 200] [--each 12] [--kills 6]

The whole system runs as `rapport up` starts it; the providers are the tests' stand-ins, which speak the real
protocols. Some messages come twice or late, some sends are refused for now, and Rasa and the app are killed
(-9) again and again. Every message must get one decided answer, in order; a kill may leave one answer in
doubt, which is then sent again.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("RAPPORT_SECRET_KEY", "bench-secret-key-0123456789-0123456789")
os.environ.setdefault("RAPPORT_BOT_SECRET", "bench-bot-secret-0123456789-0123456789")

from tests.e2e.channel_drill import Drill, told


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--people", type=int, default=200, help="how many conversations at once")
    parser.add_argument("--each", type=int, default=12, help="messages of each")
    parser.add_argument("--kills", type=int, default=6, help="how often a part is killed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as folder:
        drill = Drill(Path(folder), arguments.people, arguments.each, kill_every=12.0)
        with drill.running():
            figures = drill.run(arguments.kills, threads=arguments.people)
    for name, value in told(figures):
        print(f"{name:<36}{value}")


if __name__ == "__main__":
    main()
