"""All messaging apps at once against the whole system, with kills: nothing lost, nothing twice, in order."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.channel_drill import Drill, told


def test_nothing_is_lost_or_said_twice_whatever_is_killed(tmp_path: Path) -> None:
    drill = Drill(tmp_path, people=24, each=5)
    with drill.running():
        found = drill.run(kills=3, threads=24)
    figures = "\n".join(f"{name}: {value}" for name, value in told(found))
    assert (found.unanswered, found.answered_twice, found.undelivered) == (0, 0, 0), figures
    assert (found.out_of_order, found.missing_on_wire) == (0, 0), figures
    assert found.repeats <= found.kills["The app"], figures
