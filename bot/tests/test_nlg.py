"""Wordings take turns."""

import asyncio
from typing import Any

import pytest
from rasa.core.agent import Agent
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, Event, SessionStarted, SlotSet
from rasa.shared.core.trackers import DialogueStateTracker

from bot.nlg import WordingsInTurn, times_said
from bot.tests.conftest import Bot
from bot.turn import MESSAGES_PER_SESSION, session_start

SPANISH = [{"type": "slot", "name": "language", "value": "es"}]
DOMAIN = Domain.from_dict(
    {
        "slots": {"language": {"type": "text", "initial_value": "en", "mappings": [{"type": "custom"}]}},
        "responses": {
            "utter_bye": [
                {"text": "Bye, {name}"},
                {"text": "See you, {name}"},
                {"text": "Adiós, {name}", "condition": SPANISH},
                {"text": "Hasta luego, {name}", "condition": SPANISH},
                {"text": "Cuídate, {name}", "condition": SPANISH},
            ],
            "utter_only": [{"text": "Only this"}],
            "utter_spanish": [{"text": "Hola", "condition": SPANISH}],
        },
    }
)


class Talk:
    """A tracker that hears what the generator says."""

    def __init__(self, *events: Event) -> None:
        self.tracker = DialogueStateTracker.from_events("c", list(events), DOMAIN.slots)
        self._nlg = WordingsInTurn(None, DOMAIN)

    def say(self, name: str, /, **variables: Any) -> str | None:
        said = asyncio.run(self._nlg.generate(name, self.tracker, "rapport", **variables))
        if said is None:
            return None
        self.tracker.update(BotUttered(said["text"], metadata={"utter_action": name}))
        text: str = said["text"]
        return text


def test_each_time_the_next_one() -> None:
    talk = Talk()
    said = [talk.say("utter_bye", name="Ana") for _ in range(3)]
    assert said == ["Bye, Ana", "See you, Ana", "Bye, Ana"]


def test_other_variables_are_another_time_too() -> None:
    talk = Talk()
    assert [talk.say("utter_bye", name=name) for name in ("Ana", "Per")] == ["Bye, Ana", "See you, Per"]


def test_only_the_wordings_of_the_language() -> None:
    talk = Talk(SlotSet("language", "es"))
    said = [talk.say("utter_bye", name="Ana") for _ in range(4)]
    assert said == ["Adiós, Ana", "Hasta luego, Ana", "Cuídate, Ana", "Adiós, Ana"]


def test_each_response_counts_for_itself() -> None:
    talk = Talk()
    assert [talk.say("utter_only"), talk.say("utter_bye", name="Ana")] == ["Only this", "Bye, Ana"]
    assert talk.say("utter_only") == "Only this"


def test_nothing_fits() -> None:
    assert [Talk().say("utter_spanish"), Talk().say("utter_unknown")] == [None, None]


def test_a_wording_itself_stays_as_it_is() -> None:
    Talk().say("utter_bye", name="Ana")
    assert DOMAIN.responses["utter_bye"][0]["text"] == "Bye, {name}"


def test_a_new_session_remembers() -> None:
    talk = Talk()
    talk.say("utter_bye", name="Ana")
    stored = [event.as_dict() for event in session_start(talk.tracker)]
    again = Talk(*[event for data in stored if (event := Event.from_parameters(data))])
    assert again.say("utter_bye", name="Ana") == "See you, Ana"
    assert times_said(again.tracker) == {"utter_bye": 2}


def test_a_session_that_began_before_there_was_a_memory() -> None:
    assert times_said(Talk(SessionStarted(), BotUttered("from staff")).tracker) == {}


def test_the_bot_speaks_by_it(agent: Agent) -> None:
    assert agent.processor is not None
    assert isinstance(agent.processor.nlg, WordingsInTurn)


@pytest.mark.parametrize("times", [3, MESSAGES_PER_SESSION + 3])
def test_in_a_conversation_never_the_same_twice(bot: Bot, times: int) -> None:
    answers = bot.take(*[{"text": "goodbye"}] * times)
    texts = [answer["replies"][0]["text"] for answer in answers]
    assert texts == (["Bye", "See you"] * times)[:times]
