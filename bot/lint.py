"""Looks for mistakes in the training data: `bot/.venv/bin/python -m bot.lint --report FILE`.

It writes what it found as JSON; `rapport nlu lint` calls it and shows that. Needs neither a model nor
TensorFlow.
"""

import argparse
import json
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from scipy.sparse import csr_matrix

from bot.evaluation.messages import Labelled, of_example, read
from bot.evaluation.similar import near_pairs, vectors
from bot.nlu.model import wording
from bot.train import ROOT, prepare_environment, unreadable_file

FEWEST = 40
EXAMPLES_SHOWN = 5
# What answers a form's question has few wordings, and differs in the number or address only.
FORM_ANSWERS = {"inform_code", "inform_email", "inform_order_number", "inform_rating", "resend_code"}


def main() -> None:
    """Writes the report; exit code 1 only when the data cannot be read at all."""
    options = read_options()
    prepare_environment()
    try:
        report = lint(options.project, sorted(options.held_out.glob("*.csv")), options.errors_only)
    except KeyboardInterrupt:
        fail("stopped")
    except Exception as error:  # noqa: BLE001, whatever Rasa raises becomes one line
        fail(unreadable_file(options.project) or " ".join(str(error).split()) or type(error).__name__)
    options.report.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check the training data of Rapport's bot.")
    parser.add_argument("--report", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--project", type=Path, default=ROOT, help="the folder with domain.yml and data/nlu")
    parser.add_argument(
        "--held-out",
        type=Path,
        default=ROOT / "tests" / "nlu" / "held_out",
        help="the folder with CSV files of messages the model must not have seen",
    )
    parser.add_argument(
        "--errors-only", action="store_true", help="not what is nearly the same, which takes most of the time"
    )
    return parser.parse_args()


def lint(project: Path, held_out_files: Sequence[Path], errors_only: bool = False) -> dict[str, Any]:
    """Errors and warnings (a sentence each), near-duplicates within intents, and the balance table.

    With `errors_only` near-duplicates are not looked for. Raises what Rasa raises, or ValueError, for files
    that cannot be read.
    """
    step("reading domain.yml and data/nlu")
    from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
    from rasa.shared.core.constants import DEFAULT_INTENTS
    from rasa.shared.core.domain import Domain
    from rasa.shared.nlu.training_data.loading import load_data

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        domain, data = Domain.load(str(project / "domain.yml")), load_data(str(project / "data" / "nlu"))
    examples = [of_example(example) for example in data.intent_examples]
    if not examples:
        raise ValueError(f"there are no examples in {project / 'data' / 'nlu'}")
    held_out = read(held_out_files)
    intents = set(domain.intents) - set(DEFAULT_INTENTS) - {DEFAULT_NLU_FALLBACK_INTENT_NAME}
    step(f"comparing {len(examples)} examples with each other and with {len(held_out)} held-out messages")
    rows = vectors([message.text for message in (*examples, *held_out)])
    own, others = rows[: len(examples)], rows[len(examples) :]
    within, across = ([], []) if errors_only else near_duplicates(examples, own)
    return {
        "examples": len(examples),
        "held_out": len(held_out),
        "errors": [
            *unknown_entities(data, domain),
            *two_intents(examples),
            *too_few(examples, intents),
            *seen(examples, own, held_out, others),
        ],
        "warnings": [*without_language(examples), *across],
        "near_duplicates": within,
        "balance": balance(examples, intents),
    }


def unknown_entities(data: Any, domain: Any) -> list[str]:
    """Entities that examples mark and domain.yml does not list."""
    marked = {
        entity["entity"] for example in data.intent_examples for entity in example.get("entities") or []
    }
    return [
        f"data/nlu marks {name}, which domain.yml does not list"
        for name in sorted(marked - set(domain.entities))
    ]


def two_intents(examples: Sequence[Labelled]) -> list[str]:
    """The same wording under two intents; form answers among themselves are told apart by the form."""
    found: dict[str, dict[str, Labelled]] = defaultdict(dict)
    for example in examples:
        found[wording(example.text)].setdefault(example.intent, example)
    return [
        "one utterance under two intents: " + " and ".join(map(quoted, by_intent.values()))
        for by_intent in found.values()
        if len(by_intent) > 1 and not by_intent.keys() <= FORM_ANSWERS
    ]


def too_few(examples: Iterable[Labelled], intents: set[str]) -> list[str]:
    """Intents with fewer than 40 examples in one of the languages that the data has."""
    counts = Counter((example.intent, example.language) for example in examples)
    languages = sorted({language for _, language in counts if language}) or [""]
    return [
        f"{intent} has {counts[intent, language]} examples{f' in {language}' if language else ''}:"
        f" at least {FEWEST} are needed"
        for intent in sorted(intents - FORM_ANSWERS)
        for language in languages
        if counts[intent, language] < FEWEST
    ]


def without_language(examples: Iterable[Labelled]) -> list[str]:
    """Blocks that lack `metadata: {language: xx}`; their examples would be missing from every count."""
    counts = Counter(example.intent for example in examples if not example.language)
    return [
        f"{number} examples of {intent} do not tell their language"
        for intent, number in sorted(counts.items())
    ]


def near_duplicates(examples: Sequence[Labelled], rows: csr_matrix) -> tuple[list[dict[str, Any]], list[str]]:
    """Within an intent: how many, and some. Across intents: a sentence each, but not on the same wording,
    which `two_intents` tells.
    """
    within: dict[str, list[list[str]]] = defaultdict(list)
    across: list[str] = []
    for two, one, cosine in near_pairs(rows):
        first, second = examples[one], examples[two]
        if {first.intent, second.intent} <= FORM_ANSWERS:
            continue
        if first.intent == second.intent:
            within[first.intent].append([first.text, second.text])
        elif wording(first.text) != wording(second.text):
            across.append(f"nearly the same ({cosine:.2f}): {quoted(first)} and {quoted(second)}")
    return [
        {"intent": intent, "pairs": len(pairs), "examples": pairs[:EXAMPLES_SHOWN]}
        for intent, pairs in sorted(within.items(), key=lambda found: (-len(found[1]), found[0]))
    ], across


def seen(
    examples: Sequence[Labelled],
    rows: csr_matrix,
    held_out: Sequence[Labelled],
    held_out_rows: csr_matrix,
) -> list[str]:
    """Held-out messages that a training example equals or nearly equals: they measure nothing."""
    found: dict[int, tuple[float, int]] = {}
    for message, example, cosine in near_pairs(held_out_rows, rows):
        if held_out[message].intent not in FORM_ANSWERS:
            found[message] = max(found.get(message, (0.0, 0)), (cosine, example))
    return [
        f"a held-out message stands in the training data ({cosine:.2f}): "
        f"{quoted(held_out[message])} as {quoted(examples[example])}"
        for message, (cosine, example) in sorted(found.items())
    ]


def balance(examples: Sequence[Labelled], intents: set[str]) -> dict[str, Any]:
    """Examples of each intent in each language; how many times as many the largest has as the smallest."""
    counts = Counter((example.intent, example.language or "?") for example in examples)
    languages = sorted({language for _, language in counts})
    table = {
        intent: {language: counts[intent, language] for language in languages}
        for intent in sorted(intents | {example.intent for example in examples})
    }
    sizes = [sum(row.values()) for intent, row in table.items() if intent not in FORM_ANSWERS]
    smallest = min(sizes, default=0)
    return {
        "languages": languages,
        "intents": table,
        "largest_to_smallest": max(sizes) / smallest if smallest else None,
    }


def quoted(message: Labelled) -> str:
    where = f"{message.intent}, {message.language}" if message.language else message.intent
    return f"«{message.text}» ({where})"


def step(text: str) -> None:
    print(f"lint: {text}", flush=True)


def fail(message: str) -> NoReturn:
    print(f"lint: {message}", file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
