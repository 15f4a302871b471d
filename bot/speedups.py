"""All of Rasa's costs that we cut from outside, in one place: each a small function with its reason and its
gain.

They replace inner parts of one known version of Rasa, so `apply` refuses any other. Gains are of one turn
with one custom action on a two-core machine, unless said otherwise.
"""

import gc
from functools import cache
from typing import Any

KNOWN_RASA = "3.6.21"


class UnknownRasa(RuntimeError):
    """Rasa is another version than the one these replacements were written for."""


def apply() -> None:
    """Applies all of them; call it before anything of Rasa is imported. Raises `UnknownRasa`."""
    import_skops_first()
    import rasa

    if rasa.__version__ != KNOWN_RASA:
        raise UnknownRasa(
            f"bot/speedups.py was written for Rasa {KNOWN_RASA}, this is {rasa.__version__}:"
            " read its functions against the new version's source, then change KNOWN_RASA"
        )
    cache_action_schema()
    cache_event_types()


def freeze_memory() -> None:
    """Pauses of 200-270 ms, each some hundred turns. Python's collector walks through the two million objects
    of TensorFlow and Rasa that will never go away; call this once all is loaded.
    """
    gc.collect()
    gc.freeze()


def import_skops_first() -> None:
    """Start-up: 8 s. skops scans every module loaded so far when it is imported; Rasa imports it after
    TensorFlow.
    """
    import skops.io  # noqa: F401


def cache_action_schema() -> None:
    """46-85 ms to 11 ms.

    Rasa compiles the JSON schema of action responses anew for each response (rasa#11717).
    """
    from jsonschema import Draft202012Validator
    from rasa.core.actions.action import RemoteAction

    validator = Draft202012Validator(RemoteAction.action_response_format_spec())

    def validate(_self: RemoteAction, result: dict[str, Any]) -> bool:
        validator.validate(result)
        return True

    RemoteAction._validate_action_result = validate


def cache_event_types() -> None:
    """Rasa searches the tree of event classes for each event it reads; the tree does not change while it
    runs.
    """
    from rasa.shared.core.events import Event

    search = Event.resolve_by_type

    @cache
    def resolve_by_type(type_name: str, default: type[Event] | None = None) -> type[Event] | None:
        return search(type_name, default)

    Event.resolve_by_type = staticmethod(resolve_by_type)
