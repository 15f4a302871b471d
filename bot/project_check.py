"""What Rasa only warns about (or not even that) and what then makes a bot that is silent at run time."""

from collections import defaultdict
from collections.abc import Iterable

from rasa.shared.core.constants import DEFAULT_INTENTS
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, UserUttered
from rasa.shared.core.training_data.structures import StoryGraph
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.training_data import TrainingData


def errors(domain: Domain, nlu: TrainingData, stories: StoryGraph) -> list[str]:
    """One sentence per mistake; empty when the project can be trained."""
    events = [event for step in stories.story_steps for event in step.events]
    told = {event.intent_name for event in events if isinstance(event, UserUttered) and event.intent_name}
    done = {event.action_name for event in events if isinstance(event, ActionExecuted) and event.action_name}
    loops = {event.name for event in events if isinstance(event, ActiveLoop) and event.name}
    slots = {slot.name for slot in domain.slots}
    asked = {slot for form in domain.form_names for slot in domain.required_slots_for_form(form)}
    known = set(domain.action_names_or_texts)
    labels = {example.get(INTENT) for example in nlu.intent_examples}
    responses = {name for name in domain.action_names_or_texts if name.startswith("utter_")} - set(
        domain.responses
    )
    return [
        *(["there are no examples in data/nlu"] if not labels else []),
        *(["there are no stories or rules in data/stories"] if not done else []),
        *say("data/nlu uses intents that domain.yml does not list", labels - set(domain.intents)),
        *say("stories use intents that domain.yml does not list", told - set(domain.intents)),
        *say("stories use actions or responses that do not exist", done - known),
        *say("stories use forms that domain.yml does not list", loops - set(domain.form_names)),
        *say("forms ask for slots that domain.yml does not list", asked - slots),
        *say("domain.yml lists responses that no file in data/responses has", responses),
    ]


def warnings(domain: Domain, nlu: TrainingData) -> list[str]:
    """What is probably a mistake but does no harm."""
    labels = {example.get(INTENT) for example in nlu.intent_examples}
    by_text: dict[str, set[str]] = defaultdict(set)
    for example in nlu.intent_examples:
        by_text[example.get(TEXT)].add(example.get(INTENT))
    both = [
        f"«{text}» ({', '.join(sorted(intents))})" for text, intents in by_text.items() if len(intents) > 1
    ]
    return [
        *say("intents without examples", set(domain.intents) - set(DEFAULT_INTENTS) - labels),
        *say("examples with two intents", both),
    ]


def say(what: str, names: Iterable[str]) -> list[str]:
    listed = sorted(names)
    return [f"{what}: {', '.join(listed)}"] if listed else []
