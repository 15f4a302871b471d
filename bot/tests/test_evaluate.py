"""What is measured, by hand-made answers, and the whole script on the tiny project."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.evaluate import evaluate, read_also, read_options
from bot.evaluation import measures, pictures, reference, understanding
from bot.evaluation.measures import Answer
from bot.evaluation.messages import Labelled, read_file

PNG = b"\x89PNG"
SEEN = [
    ("where is my order", "track_order", "en"),
    ("hvor er bestillingen min", "track_order", "nb"),
    ("hola", "greet", "es"),
    ("tell me a joke", "out_of_scope", "en"),
    ("write a poem", "out_of_scope", "en"),
    ("unde este comanda mea", "complaint", "ro"),
]


def told(intent: str, predicted: str, confidence: float = 0.9, language: str = "en", **other: Any) -> Answer:
    return Answer(
        **{"text": f"{intent}?", "top": predicted, "milliseconds": 1.0, **other},
        intent=intent,
        predicted=predicted,
        confidence=confidence,
        language=language,
    )


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


# Reading.


def test_a_csv_with_a_column_for_the_language_and_columns_of_others(tmp_path: Path) -> None:
    file = write(
        tmp_path / "mixed.csv", '\ufeffid,Utterance,Intent,language\n1,"a, b",greet,nb\n2, hei ,greet,\n'
    )
    assert read_file(file) == [Labelled("a, b", "greet", "nb"), Labelled("hei", "greet", "")]


@pytest.mark.parametrize(
    ("name", "language"),
    [("es.csv", "es"), ("held_out_ro.csv", "ro"), ("bitext-dev.csv", ""), ("news.csv", "")],
)
def test_the_files_name_tells_the_language(tmp_path: Path, name: str, language: str) -> None:
    assert read_file(write(tmp_path / name, "intent,text\ngreet,x\n"))[0].language == language


def test_a_rasa_file(tmp_path: Path) -> None:
    block = "- intent: {}\n{}  examples: |\n    - hi [Bo](name)\n"
    text = (
        'version: "3.1"\nnlu:\n'
        + block.format("greet", "  metadata: {language: nb}\n")
        + block.format("thank", "")
    )
    assert read_file(write(tmp_path / "en.yml", text)) == [
        Labelled("hi Bo", "greet", "nb"),
        Labelled("hi Bo", "thank", "en"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "a.csv",
            "message,intent\nx,greet\n",
            r"needs the columns text \(or utterance\) and intent; it has message",
        ),
        ("a.csv", "text,intent\nx,greet\n,greet\n", "line 3: a text and an intent are needed"),
        ("a.csv", "text,intent\n", "holds no messages"),
        ("a.yml", "nlu: [", "is no Rasa NLU file"),
        ("a.txt", "hello", "is no Rasa NLU file"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_file(write(tmp_path / name, text))
    (tmp_path / "latin.csv").write_bytes("text,intent\nadiós,goodbye\n".encode("latin-1"))
    with pytest.raises(ValueError, match="UTF-8"):
        read_file(tmp_path / "latin.csv")


# Figures.


def test_not_being_sure_is_right_out_of_scope_and_wrong_in_scope() -> None:
    figures = measures.summary(
        [
            told("greet", "greet"),
            told("greet", "nlu_fallback", top="greet"),
            told("greet", "out_of_scope"),
            told("greet", "thank"),
            told("out_of_scope", "out_of_scope"),
            told("out_of_scope", "nlu_fallback", top="greet"),
            told("out_of_scope", "greet"),
            told("out_of_scope", "nlu_fallback", top="out_of_scope"),
        ]
    )
    assert figures["accuracy"] == 4 / 8
    assert figures["accuracy_without_threshold"] == 4 / 8
    assert figures["out_of_scope_caught"] == 3 / 4
    assert figures["in_scope_refused"] == 2 / 4
    # greet: precision 1/2, recall 1/4; out_of_scope: 3/4 and 3/4.
    assert figures["macro_f1"] == pytest.approx((1 / 3 + 3 / 4) / 2)


def test_figures_without_messages_to_go_by_are_none() -> None:
    figures = measures.summary([told("greet", "greet", milliseconds=3.0)])
    assert figures["out_of_scope_caught"] is None
    assert figures["parse_ms"] == {"p50": 3.0, "p95": 3.0}
    assert measures.summary([])["accuracy"] is None


def test_calibration_is_the_gap_between_sure_and_right_over_ten_bins() -> None:
    answers = [told("a", "a", 0.95), told("a", "b", 0.95), told("a", "a", 0.25), told("a", "a", 1.0)]
    assert [(row["from"], row["messages"]) for row in measures.bins(answers)] == [(0.2, 1), (0.9, 3)]
    sure = (0.95 + 0.95 + 1.0) / 3
    assert measures.calibration_error(answers) == pytest.approx((3 * (sure - 2 / 3) + 0.75) / 4)


def test_languages_are_compared_with_english() -> None:
    answers = [
        told("a", "a"),
        told("a", "b", language="ro"),
        told("a", "a", language="ro"),
        told("a", "a", language=""),
    ]
    report = measures.report(answers)
    assert report["parity"] == {"ro": -50.0, "?": 0.0}
    assert measures.report(answers[1:])["parity"] == {}


def test_another_intent_can_count_as_right() -> None:
    also = read_also(["a = b", "a=c"])
    assert also == {"a": {"b", "c"}}
    accepted = measures.accepting([told("a", "b"), told("a", "d", top="c"), told("b", "a")], also)
    assert [(one.predicted, one.top) for one in accepted] == [("a", "a"), ("d", "a"), ("a", "a")]
    assert measures.summary(accepted)["accuracy"] == 1 / 3
    for wrong in ("a", "=b", "a="):
        with pytest.raises(ValueError, match="INTENT=OTHER"):
            read_also([wrong])


def test_what_is_confused_with_what() -> None:
    answers = [
        told("a", "b", 0.5),
        told("a", "b", 0.8, text="surest"),
        told("b", "a"),
        told("b", "b"),
        told("a", "nlu_fallback"),
    ]
    report = measures.report(answers)
    assert report["confusions"] == [
        {"intent": "a", "predicted": "b", "times": 2, "example": "surest"},
        {"intent": "b", "predicted": "a", "times": 1, "example": "b?"},
    ]
    assert [(row["intent"], row["understood"]) for row in report["worst_intents"]] == [("a", 0.0), ("b", 0.5)]
    assert report["worst_intents"][0]["taken_for"] == {"b": 2, "nlu_fallback": 1}


def test_the_margin_of_few_messages_is_wide() -> None:
    assert measures.margin(0.9, 400) == pytest.approx(0.03, abs=0.002)
    assert measures.margin(1.0, 10) > 0.1


def test_the_best_intent_stands_behind_rasas_own_fallback() -> None:
    fallback, second = {"name": "nlu_fallback", "confidence": 0.7}, {"name": "greet", "confidence": 0.2}
    parsed = {"intent": fallback, "intent_ranking": [fallback, second]}
    answer = understanding.answer(Labelled("x", "greet"), parsed, 1.0)
    assert (answer.predicted, answer.top, answer.confidence) == ("nlu_fallback", "greet", 0.2)
    unknown = understanding.answer(Labelled("x", "a"), {"intent": {"name": None, "confidence": 0.0}}, 1.0)
    assert (unknown.predicted, unknown.top) == ("nlu_fallback", "nlu_fallback")


def test_only_confused_intents_are_drawn() -> None:
    assert pictures.confused(["a", "b", "c"], ["a", "c", "c"]) == ["b", "c"]
    assert pictures.confused(["b", "a"], ["b", "a"]) == ["a", "b"]
    many = [f"i{number}" for number in range(100)]
    names = pictures.confused([*many, "i0"], ["nlu_fallback"] * 101)
    assert len(names) == pictures.MOST_INTENTS
    assert {"i0"} <= set(names)
    assert names[-1] == "nlu_fallback"


# The whole script.


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    file = tmp_path / "seen.csv"
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("text", "intent", "language"), *SEEN])
    return file


def test_a_report_with_pictures(
    model: Path, seen: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "new" / "out"
    returned = evaluate(read_options(["--model", str(model), "--out", str(out), str(seen)]))
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report == json.loads(json.dumps(returned))
    assert report["model"] == "tiny.tar.gz"
    assert report["overall"]["messages"] == 6
    assert report["overall"]["accuracy"] == 5 / 6
    assert report["overall"]["out_of_scope_caught"] == 1.0
    assert report["overall"]["parse_ms"]["p50"] > 0
    assert list(report["languages"]) == ["en", "es", "nb", "ro"]
    assert report["parity"]["ro"] == -100.0
    with (out / "errors.csv").open(encoding="utf-8", newline="") as lines:
        [wrong] = csv.DictReader(lines)
    assert (wrong["text"], wrong["intent"], wrong["predicted"]) == (SEEN[-1][0], "complaint", "track_order")
    for name in ("confusion.png", "calibration.png"):
        assert (out / name).read_bytes().startswith(PNG)
    said = capsys.readouterr().out
    assert "evaluate: writing the report" in said
    assert "warning" not in said


def test_an_intent_the_model_does_not_know_is_said(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = write(tmp_path / "other.csv", "text,intent\nhello,buy_a_horse\n")
    evaluate(read_options(["--model", str(model), "--out", str(tmp_path), str(file)]))
    assert "warning: the model does not know buy_a_horse" in capsys.readouterr().out


def test_a_file_that_is_no_model(seen: Path, tmp_path: Path) -> None:
    for model in (seen, tmp_path / "none.tar.gz"):
        with pytest.raises(ValueError, match=r"no model|no such model"):
            evaluate(read_options(["--model", str(model), "--out", str(tmp_path), str(seen)]))


def test_beside_rasas_default_pipeline_which_is_trained_once(
    model: Path, project: Path, seen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(understanding, "LOADS", 1)
    monkeypatch.setenv("RASA_CACHE_DIRECTORY", str(tmp_path / "cache"))
    arguments = ["--model", str(model), "--out", str(tmp_path), "--kept", str(tmp_path / "kept")]
    options = read_options([*arguments, "--project", str(project), "--compare", "--epochs", "1", str(seen)])
    beside = evaluate(options)["reference"]
    [kept] = (tmp_path / "kept").iterdir()
    assert beside["model"] == kept.name
    assert beside["overall"]["messages"] == 6
    assert set(beside["languages"]) == {"en", "es", "nb", "ro"}
    assert beside["times_as_long"]["p50"] > 2
    assert beside["times_as_long"]["load"] > 2
    said: list[str] = []
    assert reference.reference_model(project, tmp_path / "kept", 1, said.append) == kept
    assert "was trained before" in said[0]


def test_other_examples_or_epochs_make_another_reference(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_into(folder: Path, *_: object) -> Path:
        return write(folder / "trained.tar.gz", "model")

    monkeypatch.setattr(reference, "train_into", train_into)
    copy = tmp_path / "copy"
    shutil.copytree(project / "data", copy / "data")
    first = reference.reference_model(copy, tmp_path, 1, lambda _: None)
    assert reference.reference_model(copy, tmp_path, 2, lambda _: None) != first
    examples = copy / "data/nlu/examples.yml"
    write(examples, examples.read_text(encoding="utf-8").replace("- hola\n", "- hola hola\n"))
    assert reference.reference_model(copy, tmp_path, 1, lambda _: None) != first


def test_progress_is_read_off_rasas_own_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, said = io.StringIO(), list[str]()
    monkeypatch.setattr(sys, "stdout", screen)
    bar = reference.Epochs(said.append)
    for _ in range(2):
        bar.write("\rEpochs:  20%|##   | 1/5 [00:06<00:24,  6.07s/it, t_loss=6.53]")
    bar.write("\rEpochs:   0%|          | 0/5 [00:00<?, ?it/s]\n")
    assert said == ["training Rasa's default pipeline: epoch 1 of 5, about 00:24 left"]
