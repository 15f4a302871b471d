"""Asks a trained model what messages mean, the way the running bot does."""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage
from rasa.engine.graph import ExecutionContext
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.engine.storage.local_model_storage import LocalModelStorage

from bot.evaluation.measures import FALLBACK, Answer
from bot.evaluation.messages import Labelled
from bot.messages import escape_typed_text

WARM_UP = 30
LOADS = 3


def load(path: Path) -> Agent:
    """The model, ready to be asked. Raises ValueError when the file is none or understands no language."""
    if not path.is_file():
        raise ValueError(f"no such model: {path}")
    try:
        agent = Agent.load(path)
    except Exception as error:
        raise ValueError(f"{path} is no model this bot can load ({error})") from error
    if agent.processor is None or agent.processor.model_metadata.nlu_target is None:
        raise ValueError(f"{path} was trained without NLU data")
    return agent


async def ask(
    agents: Sequence[Agent], messages: Sequence[Labelled], say: Callable[[str], None]
) -> list[list[Answer]]:
    """The answers of each model. Each message goes to all of them in turn, so that times compare."""
    for message in messages[:WARM_UP]:
        for agent in agents:
            await parse(agent, message)
    # As the running bot does (bot/speedups.py).
    gc.collect()
    gc.freeze()
    answers: list[list[Answer]] = [[] for _ in agents]
    for number, message in enumerate(messages):
        if number % 200 == 0:
            say(f"{number} of {len(messages)} messages")
        for agent, of_it in zip(agents, answers, strict=True):
            of_it.append(await parse(agent, message))
    return answers


async def parse(agent: Agent, message: Labelled) -> Answer:
    """One message through the model's whole NLU pipeline."""
    metadata = {"language": message.language} if message.language else None
    typed = UserMessage(escape_typed_text(message.text), metadata=metadata)
    began = time.perf_counter()
    parsed = await agent.processor.parse_message(typed)
    took = (time.perf_counter() - began) * 1000
    return answer(message, parsed, took)


def answer(message: Labelled, parsed: dict[str, Any], milliseconds: float) -> Answer:
    """Rasa's own fallback puts itself at the head of the ranking: the best intent is the first other one."""
    ranked = [entry for entry in parsed.get("intent_ranking") or [] if entry["name"] != FALLBACK]
    best = ranked[0] if ranked else parsed["intent"]
    return Answer(
        message.text,
        message.language,
        message.intent,
        parsed["intent"]["name"] or FALLBACK,
        best["name"] or FALLBACK,
        float(best["confidence"]),
        milliseconds,
    )


def load_seconds(paths: Sequence[Path]) -> list[float]:
    """How long it takes to unpack each model and load what understands (not what decides); median of some."""
    times: list[list[float]] = [[] for _ in paths]
    for _ in range(LOADS):
        for path, of_it in zip(paths, times, strict=True):
            began = time.perf_counter()
            load_nlu(path)
            of_it.append(time.perf_counter() - began)
    return [statistics.median(of_it) for of_it in times]


def load_nlu(path: Path) -> None:
    """As Rasa's engine.loader, with the graph cut down to its NLU part."""
    with tempfile.TemporaryDirectory() as folder:
        storage, metadata = LocalModelStorage.from_model_archive(Path(folder), path)
        schema = metadata.predict_schema.minimal_graph_schema([metadata.nlu_target])
        DaskGraphRunner.create(schema, storage, ExecutionContext(schema, metadata.model_id))
