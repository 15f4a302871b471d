"""The intent model and its Rasa component."""

import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasa.core.agent import Agent

from bot.nlu.calibration import REFUSED, fit_scope, fit_temperature, softmax
from bot.nlu.model import IntentModel
from bot.nlu.sentences import judge
from bot.nlu.text import fold, tokens

ABOUT = {
    "order": ["order", "parcel", "package", "delivery", "pakke", "pedido", "comanda"],
    "points": ["points", "balance", "club", "bonus", "poeng", "puntos", "puncte"],
    "out_of_scope": ["weather", "football", "poem", "joke", "vits", "chiste", "gluma"],
}
AROUND = ["where is my {}", "tell me about {}", "{} please", "what of the {}", "I ask about {} again"]
EXAMPLES = [(a.format(word), intent) for intent, words in ABOUT.items() for word in words for a in AROUND]


def train(examples: list[tuple[str, str]]) -> IntentModel:
    return IntentModel.train([text for text, _ in examples], [intent for _, intent in examples])


@pytest.fixture(scope="module")
def learnt() -> IntentModel:
    return train(EXAMPLES)


def best(model: IntentModel, text: str) -> str:
    return model.intents[int(model.confidences(text)[0].argmax())]


def test_it_learns_and_is_calibrated(learnt: IntentModel) -> None:
    assert best(learnt, "has the parcel left") == "order"
    assert best(learnt, "cuantos puntos tengo") == "points"
    assert learnt.facts["held_out_accuracy"] > 0.9
    for text in ("my order", "x", "points or order"):
        confidences, _ = learnt.confidences(text)
        assert confidences.sum() == pytest.approx(1.0)
        assert (confidences >= 0).all()


def test_nothing_known_is_said_so(learnt: IntentModel) -> None:
    for text in ("", "😀", "...", "\0"):
        confidences, known = learnt.confidences(text)
        assert not known
        assert confidences.max() == pytest.approx(1 / 3)


def test_saved_and_loaded_it_is_the_same_and_has_no_pickle(learnt: IntentModel, tmp_path: Path) -> None:
    learnt.save(tmp_path)
    loaded = IntentModel.load(tmp_path)
    for text, _ in EXAMPLES[:20]:
        np.testing.assert_array_equal(loaded.confidences(text)[0], learnt.confidences(text)[0])
    assert loaded.threshold == learnt.threshold
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype == np.float32 for name in arrays.files)


def test_training_is_deterministic(learnt: IntentModel, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    learnt.save(tmp_path / "one")
    train(EXAMPLES).save(tmp_path / "two")
    assert (tmp_path / "one/model.json").read_bytes() == (tmp_path / "two/model.json").read_bytes()
    with np.load(tmp_path / "one/arrays.npz") as one, np.load(tmp_path / "two/arrays.npz") as two:
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name])


def test_two_intents_and_too_few_examples_to_hold_any_out() -> None:
    model = IntentModel.train(["yes", "ja", "no", "nei"], ["affirm", "affirm", "deny", "deny"])
    assert best(model, "ja") == "affirm"
    with pytest.raises(ValueError, match="two intents"):
        IntentModel.train(["yes"], ["affirm"])


def test_diacritics_and_case_do_not_matter(learnt: IntentModel) -> None:
    assert fold("Ærø Ștefan ÑANDÚ ß") == "aro stefan nandu s"
    assert len(fold("Ǻﬁ\u0130")) == 3
    assert tokens("Mail ana@x.no: 12345?") == ["mail", "emailaddress", "00000", "?"]
    assert learnt.confidences("GLUMĂ")[0].argmax() == learnt.confidences("gluma")[0].argmax()


def test_emoji_are_words_in_any_colour_of_skin() -> None:
    assert tokens("ok 👍🏽👍") == ["ok", "👍", "👍"]
    assert tokens("❤️") == ["❤"]


def test_an_example_the_weights_cannot_fit_is_known_by_heart(tmp_path: Path) -> None:
    many = [(f"{a} my {thing}", "order") for a in ("drop", "drop drop") for thing in ("tent", "boots", "bag")]
    model = train([*EXAMPLES, *many, ("drop", "points")])
    assert best(model, "Drop!") == "points"
    assert best(model, "drop my bag") == "order"
    model.save(tmp_path)
    assert best(IntentModel.load(tmp_path), "drop") == "points"


def test_a_wording_with_two_meanings_is_not_known_by_heart() -> None:
    model = IntentModel.train(
        [*(text for text, _ in EXAMPLES), "x", "X!"], [*(of for _, of in EXAMPLES), "order", "points"]
    )
    assert "x" not in model.facts["by_heart"]


class Unsure:
    """As sure of a text as the table says, and of anything else not at all."""

    intents = ("order", "points", "thank")

    def __init__(self, **sure: tuple[str, float]) -> None:
        self.sure = {text.replace("_", " "): told for text, told in sure.items()}

    def confidences(self, text: str) -> tuple[np.ndarray, bool]:
        intent, confidence = self.sure.get(text.rstrip("."), ("order", 0.34))
        rest = (1 - confidence) / 2
        return np.array([confidence if name == intent else rest for name in self.intents]), True


def test_of_a_long_message_the_surest_sentence_counts() -> None:
    model: Any = Unsure(
        how_many_points=("points", 0.9), we_met_before=("order", 0.5), thank_you_much=("thank", 0.99)
    )
    confidences, known = judge(model, "We met before. How? how many points. thank you much.")
    assert (model.intents[int(confidences.argmax())], confidences.max(), known) == ("points", 0.9, True)


def test_after_a_very_long_story_the_last_question_counts() -> None:
    model: Any = Unsure(how_many_points=("points", 0.9))
    story = "we met here. " * 200
    assert model.intents[int(judge(model, story + "how many points.")[0].argmax())] == "points"
    assert model.intents[int(judge(model, story + "so did we.")[0].argmax())] == "order"


def test_what_comes_after_a_thank_you_counts() -> None:
    model: Any = Unsure(how_many_points=("points", 0.9))
    model.sure["thank you so much, how many points"] = ("thank", 0.8)
    confidences, _ = judge(model, "thank you so much, how many points")
    assert model.intents[int(confidences.argmax())] == "points"
    model.sure["thank you so much, you are great"] = ("thank", 0.8)
    confidences, _ = judge(model, "thank you so much, you are great")
    assert model.intents[int(confidences.argmax())] == "thank"


@pytest.mark.parametrize(
    "text", ["", "...", "how many points", "Hi. how many. Bye.", "we met here. so did we."]
)
def test_a_short_message_or_an_unsure_sentence_leaves_it_with_the_whole(text: str) -> None:
    model: Any = Unsure(how_many=("points", 0.9), we_met_here=("points", 0.59))
    np.testing.assert_array_equal(judge(model, text)[0], model.confidences(text)[0])


def test_temperature_recovers_the_truth_of_scores() -> None:
    random = np.random.default_rng(1)
    scores = random.normal(size=(4000, 5)) * 2
    truth = np.array([random.choice(5, p=row) for row in softmax(scores, 1.0)])
    assert fit_temperature(scores * 3, truth) == pytest.approx(3.0, rel=0.1)


def test_what_is_out_of_scope_is_turned_away_and_hardly_anything_else() -> None:
    random = np.random.default_rng(2)
    truth = np.repeat([0, 1, 2], 300)
    scores = random.normal(size=(900, 3)) * 0.2
    scores[np.arange(900), truth] += np.where(truth == 2, 0.1, 0.8)
    without = softmax(scores, 0.2)
    scope = fit_scope(scores, truth, 2, 0.2)
    assert scope.refused <= REFUSED
    assert scope.bias > 0
    assert scope.caught > (without.argmax(axis=1)[truth == 2] == 2).mean()


def test_the_threshold_alone_refuses_as_much_as_allowed() -> None:
    random = np.random.default_rng(3)
    truth = np.repeat([0, 1], 500)
    scores = random.normal(size=(1000, 2))
    scope = fit_scope(scores, truth, None, 1.0)
    assert (scope.bias, scope.caught) == (0.0, 0.0)
    assert scope.refused == pytest.approx(REFUSED, abs=0.002)
    assert 0.5 < scope.threshold < 0.6


def parse(model: Path, *texts: str) -> list[dict[str, Any]]:
    import asyncio

    agent = Agent.load(model)

    async def all_of() -> list[dict[str, Any]]:
        return [await agent.parse_message(text) for text in texts]

    return asyncio.run(all_of())


def test_in_rasa_below_the_threshold_it_is_a_fallback_with_the_ranking_kept(model: Path) -> None:
    sure, unsure = parse(model, "where is my order", "😀")
    assert sure["intent"]["name"] == "track_order"
    assert unsure["intent"]["name"] == "nlu_fallback"
    assert len(unsure["intent_ranking"]) == 5
    assert all(entry["name"] != "nlu_fallback" for entry in unsure["intent_ranking"])


def test_no_pickle_in_the_model_archive(model: Path) -> None:
    with tarfile.open(model) as archive:
        names = archive.getnames()
        assert any(name.endswith("arrays.npz") for name in names)
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if file is not None:
                # What pickles of protocol 2 and later begin with; .npz is a zip.
                assert not file.read(2).startswith(b"\x80"), member.name
        assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".skops"))]
