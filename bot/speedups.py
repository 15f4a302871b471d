"""All of Rasa's costs that we cut from outside, each in a small function with its reason and its gain.

They replace inner parts of one known version of Rasa, so `apply` refuses any other. Where Rasa lets us plug
in a part of our own, the gain is had there: trackers.py (a turn of 13 ms became one of 8), turn.py (sessions
that stay short), actions_client.py (connections kept open), nlu/ (0.1 ms a message), endpoints.yml (no domain
in action calls).
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
    keep_yaml_resolvers_short()


def freeze_memory() -> None:
    """Pauses of 200 ms and more, one in some hundred turns: Python's collector walks through everything that
    TensorFlow and Rasa hold, which never goes away. Call this once all is loaded.
    """
    gc.collect()
    gc.freeze()


def import_skops_first() -> None:
    """Start-up: 8 s. skops scans every module loaded so far when it is imported; Rasa imports it after
    TensorFlow.
    """
    import skops.io  # noqa: F401


def cache_action_schema() -> None:
    """17 ms to 0.3 ms an action call: Rasa compiles the schema of responses anew each time (rasa#11717)."""
    from jsonschema import Draft202012Validator
    from rasa.core.actions.action import RemoteAction

    validator = Draft202012Validator(RemoteAction.action_response_format_spec())

    def validate(_self: RemoteAction, result: dict[str, Any]) -> bool:
        validator.validate(result)
        return True

    RemoteAction._validate_action_result = validate


def cache_event_types() -> None:
    """25 µs for each stored event, 1-3 ms a turn: Rasa searches the tree of event classes for each one it
    reads; the tree does not change while it runs.
    """
    from rasa.shared.core.events import Event

    search = Event.resolve_by_type

    @cache
    def resolve_by_type(type_name: str, default: type[Event] | None = None) -> type[Event] | None:
        return search(type_name, default)

    Event.resolve_by_type = staticmethod(resolve_by_type)


def keep_yaml_resolvers_short() -> None:
    """Loading a model: 18 s to 5 s on a busy machine. For each value it reads, the ruamel.yaml that Rasa pins
    adds to a list (`resolvers += ...`) which it then walks through. A tuple is not changed by that.
    """
    from ruamel.yaml.resolver import VersionedResolver

    build = VersionedResolver.versioned_resolver.fget

    def versioned_resolver(self: VersionedResolver) -> dict[str | None, tuple[Any, ...]]:
        resolvers = build(self)
        for first, known in resolvers.items():
            if isinstance(known, tuple):
                break
            resolvers[first] = tuple(known)
        return resolvers

    VersionedResolver.versioned_resolver = property(versioned_resolver)
