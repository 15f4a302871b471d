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
    replace()


@cache
def replace() -> None:
    """Once: what stands in for a function calls the one that was there."""
    cache_action_schema()
    cache_event_types()
    keep_yaml_resolvers_short()
    check_files_with_the_quick_parser()
    read_examples_once()


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


def check_files_with_the_quick_parser() -> None:
    """Loading a model: 2 s of 4; training: 4 s. Rasa checks each file on what ruamel.yaml's parser in Python
    read, which knows line numbers. The one in C reads the same; lines are looked up when something is wrong.
    """
    import rasa.shared.utils.io
    from rasa.shared.utils import validation

    read, check = rasa.shared.utils.io.read_yaml, validation.validate_yaml_schema

    def read_yaml(content: str, reader_type: "str | list[str]" = "safe") -> Any:
        return read(content, "safe" if reader_type == ["safe", "rt"] else reader_type)

    def validate_yaml_schema(content: str, *more: Any, **named: Any) -> None:
        try:
            check(content, *more, **named)
        except validation.YamlValidationException as error:
            error.content = read(content, ["safe", "rt"])
            raise

    rasa.shared.utils.io.read_yaml = read_yaml
    validation.validate_yaml_schema = validate_yaml_schema


def read_examples_once() -> None:
    """Training: 3 s. Rasa remembers what it read by how it was asked, with or without a language that changes
    nothing, and so reads data/nlu twice.
    """
    from rasa.shared.importers.importer import CombinedDataImporter

    read = CombinedDataImporter.get_nlu_data

    def get_nlu_data(self: CombinedDataImporter, language: "str | None" = "en") -> Any:
        return read(self, language)

    CombinedDataImporter.get_nlu_data = get_nlu_data
