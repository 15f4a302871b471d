"""The intent classifier as a part of Rasa's pipeline: features, classifier and fallback in one step."""

import logging
from dataclasses import asdict
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.nlu.constants import ENTITIES, INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.nlu.code import is_code
from bot.nlu.model import BY_HEART, OUT_OF_SCOPE, IntentModel
from bot.nlu.sentences import judge
from bot.nlu.wishes import two_wishes

# What a friend's code may be taken for, when it is given: it looks like one, so that is what it is.
FRIEND_CODE, REFERRAL = "friend_code", "refer_friend"
MEANT_BY_CODE = {
    DEFAULT_NLU_FALLBACK_INTENT_NAME,
    OUT_OF_SCOPE,
    "ask_discount",
    "create_account",
    "inform_code",
    "inform_order_number",
    "resend_code",
    "track_order",
}
logger = logging.getLogger(__name__)
# In what Rasa understood of a message: the two wishes in it, if there are two (bot/second_wish.py).
WISHES = "wishes"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class TfidfLinearClassifier(GraphComponent, IntentClassifier):
    """TF-IDF and linear SVMs with calibrated confidences.

    Below the model's own threshold the intent is `nlu_fallback`.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`C` is the SVM's; `threshold` overrides the one found in training; `ranking_length` as in Rasa."""
        return {"C": 2.0, "threshold": None, "ranking_length": 5}

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        model: IntentModel | None = None,
    ) -> None:
        self._config = config
        self._storage = model_storage
        self._resource = resource
        self._model = model

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "TfidfLinearClassifier":
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> "TfidfLinearClassifier":
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, IntentModel.load(folder))

    def train(self, training_data: TrainingData) -> Resource:
        """Learns from all examples with a text and an intent, and stores what it learnt."""
        examples = [e for e in training_data.intent_examples if e.get(TEXT) and e.get(INTENT)]
        texts, labels = [e.get(TEXT) for e in examples], [e.get(INTENT) for e in examples]
        self._model = IntentModel.train(texts, labels, self._config["C"])
        known = {
            name: value for name, value in self._model.facts.items() if name not in ("intents", "by_heart")
        }
        logger.info("Trained on %d examples of %d intents: %s", len(texts), len(self._model.intents), known)
        with self._storage.write_to(self._resource) as folder:
            self._model.save(folder)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        assert self._model is not None, "the model is trained or loaded first"
        for message in messages:
            self._classify(message, self._model)
        return messages

    def _classify(self, message: Message, model: IntentModel) -> None:
        text = message.get(TEXT) or ""
        confidences, known = judge(model, text)
        if OUT_OF_SCOPE in model.intents and is_code(text):
            confidences = BY_HEART * np.eye(len(model.intents))[model.intents.index(OUT_OF_SCOPE)]
        order = confidences.argsort(kind="stable")[::-1][: self._config["ranking_length"]]
        ranking = [{"name": model.intents[i], "confidence": float(confidences[i])} for i in order]
        threshold = model.threshold if self._config["threshold"] is None else self._config["threshold"]
        intent = ranking[0]
        if not known or intent["confidence"] < threshold:
            intent = {"name": DEFAULT_NLU_FALLBACK_INTENT_NAME, "confidence": 1.0 - ranking[0]["confidence"]}
        found = {entity["entity"] for entity in message.get(ENTITIES, [])}
        if FRIEND_CODE in found and intent["name"] in MEANT_BY_CODE and REFERRAL in model.intents:
            intent = {"name": REFERRAL, "confidence": BY_HEART}
        message.set(INTENT, intent, add_to_output=True)
        message.set(INTENT_RANKING_KEY, ranking, add_to_output=True)
        wishes = two_wishes(model, text, intent["name"])
        if wishes is not None:
            message.set(WISHES, [asdict(wish) for wish in wishes], add_to_output=True)
