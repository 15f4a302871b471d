"""Which wording of a response is said: never the one said last time.

Rasa picks at random, so one in two times somebody hears the same sentence again. Here the wordings take
turns, beginning with the first: who asks once always hears the same, who asks again hears another one.
"""

import copy
from collections import Counter
from typing import Any

from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.core.nlg.generator import ResponseVariationFilter
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, SessionStarted
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

SAID = "said"


class WordingsInTurn(TemplatedNaturalLanguageGenerator):
    """Chosen by `nlg: type:` in endpoints.yml; Rasa fills in the responses when it has loaded the model."""

    def __init__(self, endpoint_config: EndpointConfig | None, domain: Domain) -> None:
        super().__init__(domain.responses)

    async def generate(
        self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any
    ) -> dict[str, Any] | None:
        """The response as Rasa sends it; None when there is none for this channel and these slots."""
        if utter_action not in self.responses:
            return None
        slots = tracker.current_slot_values()
        wordings = ResponseVariationFilter(self.responses).responses_for_utter_action(
            utter_action, output_channel, slots
        )
        if not wordings:
            return None
        wording = wordings[times_said(tracker)[utter_action] % len(wordings)]
        return self._fill_response(copy.deepcopy(wording), slots, **kwargs)


def times_said(tracker: DialogueStateTracker) -> Counter[str]:
    """How often each response was said. A session's start carries what was said before it (bot/turn.py)."""
    said: Counter[str] = Counter()
    for event in tracker.events:
        if isinstance(event, SessionStarted):
            said = Counter(event.metadata.get(SAID) or {})
        elif isinstance(event, BotUttered) and event.metadata.get("utter_action"):
            said[event.metadata["utter_action"]] += 1
    return said
