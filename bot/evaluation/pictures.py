"""The report's pictures, drawn with matplotlib."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from sklearn.metrics import confusion_matrix

from bot.evaluation.measures import BINS, FALLBACK, Answer

mpl.use("agg")
# It warns of its own style files' old words.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
MOST_INTENTS = 60
INCHES_PER_INTENT = 0.32


def draw_confusion(answers: Sequence[Answer], file: Path) -> None:
    """What was meant (rows) and understood (columns), of the intents that were ever confused, at most 60."""
    import matplotlib.pyplot as plt
    from rasa.utils.plotting import plot_confusion_matrix

    meant = [answer.intent for answer in answers]
    taken = [answer.intent if answer.right else answer.predicted for answer in answers]
    names = confused(meant, taken)
    matrix = confusion_matrix(meant, taken, labels=names)
    figure = plt.figure()
    perfect = len(set(meant) - set(names))
    title = "What was meant (down) and what was understood (across)"
    title += f"; {perfect} intents without a mistake are left out" if perfect else ""
    # With its zmin of 1 a matrix of ones has no colours.
    plot_confusion_matrix(matrix, names, title=title, zmin=0.5)
    axes, colours = figure.axes
    colours.remove()  # the numbers stand in the cells
    axes.set(xlabel="", ylabel="")
    for cell in list(axes.texts):
        cell.set_verticalalignment("center")
        if cell.get_text() == "0":  # three thousand of them would hide the others
            cell.remove()
    side = 4 + INCHES_PER_INTENT * len(names)
    figure.set_size_inches(side, side)
    figure.savefig(file, bbox_inches="tight", dpi=110)
    plt.close(figure)


def confused(meant: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The intents of a mistake on either side, by name; all when there is none, the most confused of many."""
    mistakes: dict[str, int] = {}
    for truth, answer in zip(meant, taken, strict=True):
        if truth != answer:
            for name in (truth, answer):
                mistakes[name] = mistakes.get(name, 0) + 1
    if not mistakes:
        return sorted(set(meant))[:MOST_INTENTS]
    most = sorted(mistakes, key=lambda name: (-mistakes[name], name))[:MOST_INTENTS]
    return sorted(most, key=lambda name: (name == FALLBACK, name))


def draw_calibration(bins: Iterable[dict[str, Any]], file: Path) -> None:
    """Above: how often the best intent is right, by how sure it was. Below: how many messages that are."""
    import matplotlib.pyplot as plt

    listed = list(bins)
    sure = [row["confidence"] for row in listed]
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(7, 8), sharex=True, gridspec_kw={"height_ratios": (3, 1)}
    )
    above.plot([0, 1], [0, 1], linestyle="--", color="grey", label="as sure as right")
    above.plot(sure, [row["right"] for row in listed], marker="o", label="this model")
    above.set(ylabel="part that was right", ylim=(0, 1.02), title="Calibration")
    above.legend(loc="upper left")
    starts = np.array([row["from"] for row in listed])
    below.bar(starts, [row["messages"] for row in listed], width=1 / BINS, align="edge", edgecolor="white")
    below.set(xlabel="confidence of the best intent", ylabel="messages", xlim=(0, 1))
    figure.savefig(file, bbox_inches="tight", dpi=110)
    plt.close(figure)
