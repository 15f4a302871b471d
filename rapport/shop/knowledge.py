"""What the shop's people wrote for the assistant to answer with: the folder `knowledge/`, checked whole.

Unlike shop.yml it is read again whenever one of its files changes: answers are added while the shop is open.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from actions.words import button_intents
from rapport.edits.rules import merged
from rapport.edits.source import NOTHING, Edits, get_edits
from rapport.kit.errors import ConfigurationError
from rapport.kit.format import counted, listed
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import get_settings
from rapport.shop import placeholders
from rapport.shop.facts import Facts, ShopFacts, Text, Texts, Words, get_facts
from rapport.shop.phrases import MAX_WORDS, words

log = logging.getLogger(__name__)

CARE_FILE = "care.yml"
# An edited answer is the section "answer.<key of the entry>"; care tips are "care.<category or SKU>", also
# where the files have none.
SECTION = "answer."
CARE = "care."
# What an entry of the same name answers (data/stories/knowledge.yml); without one there would be no answer.
INTENTS = (
    "create_account",
    "registration_problems",
    "recover_password",
    "switch_account",
    "place_order",
    "check_cancellation_fee",
    "payment_issue",
    "refer_friend",
)

Stamp = tuple[tuple[str, int, int], ...]


class Answer(Texts):
    """One text in every language; the shop's facts take the place of placeholders when it is read."""

    @field_validator(*LANGUAGES)
    @classmethod
    def _fill(cls, text: str, info: ValidationInfo) -> str:
        known = (info.context or {}).get(info.field_name, {})
        return placeholders.fill(placeholders.check(text, known), known)


class Phrases(Words):
    """What customers say for one thing, in every language; in a message the languages are not told apart."""

    @field_validator(*LANGUAGES)
    @classmethod
    def _of_a_few_words(cls, phrases: list[str]) -> list[str]:
        for phrase in phrases:
            if not 1 <= len(words(phrase)) <= MAX_WORDS:
                raise ValueError(f"“{phrase}” must have 1 to {MAX_WORDS} words")
        return phrases


class Entry(Facts):
    """An answer, the phrases that call for it, and the intents offered as buttons after it."""

    answer: Answer
    asked: Phrases | None = None
    next: tuple[Text, ...] = ()

    @field_validator("next")
    @classmethod
    def _can_be_offered(cls, intents: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(intents) - button_intents()):
            raise ValueError(f"“{unknown[0]}” is no intent with a button, see docs/intents.md")
        return intents


class Knowledge(Facts):
    """All entries by key, and care tips by category key or sku."""

    entries: dict[str, Entry]
    care: dict[str, Answer]

    def phrases(self) -> Iterator[tuple[str, str]]:
        """(phrase, key of the entry) of all languages."""
        for key, entry in self.entries.items():
            for phrase in entry.asked.all() if entry.asked else ():
                yield phrase, key


_ENTRIES = TypeAdapter(dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], Entry])
_CARE = TypeAdapter(dict[Text, Answer])


class KnowledgeFolder:
    """The folder's present content, for many threads. Raises ConfigurationError when it is wrong at first.

    If it becomes wrong later, the log says how, and what was known before stays.
    """

    def __init__(
        self,
        folder: Path,
        facts: ShopFacts | Callable[[], ShopFacts],
        edits: Callable[[], Edits] = lambda: NOTHING,
    ) -> None:
        self._folder = folder
        self._facts = facts if callable(facts) else lambda: facts
        self._edits = edits
        self._lock = threading.Lock()
        self._state = self._now()
        self._knowledge = load_knowledge(folder, self._facts(), edits())

    def get(self) -> Knowledge:
        """What the files, the facts in them and the edits say now; the same object as long as none of them
        changes.
        """
        if not _same(self._now(), self._state):
            with self._lock:
                state = self._now()
                if not _same(state, self._state):
                    self._read_again()
                    self._state = state
        return self._knowledge

    def _now(self) -> tuple[Stamp, ShopFacts, Edits]:
        return _stamp(self._folder), self._facts(), self._edits()

    def _read_again(self) -> None:
        try:
            self._knowledge = load_knowledge(self._folder, self._facts(), self._edits())
        except ConfigurationError as error:
            log.error("%s\nUntil this is mended, the assistant goes on with what it knew before.", error)


def get_knowledge() -> Knowledge:
    """What this installation's shop knows now. Raises ConfigurationError when it never made sense."""
    settings = get_settings()
    return _opened(settings.knowledge_dir, settings.shop_file).get()


@cache
def _opened(folder: Path, _shop_file: Path) -> KnowledgeFolder:
    return KnowledgeFolder(folder, get_facts, get_edits)


def _same(one: tuple[Stamp, ShopFacts, Edits], other: tuple[Stamp, ShopFacts, Edits]) -> bool:
    return one[0] == other[0] and one[1] is other[1] and one[2] is other[2]


def load_knowledge(folder: Path, facts: ShopFacts, edits: Edits = NOTHING) -> Knowledge:
    """The content of the folder's files, with the answers that were edited in the console and fit.

    Raises ConfigurationError with one line per mistake, which names file, entry and field.
    """
    context = {language: _placeholders(facts, language) for language in LANGUAGES}
    entries: dict[str, Entry] = {}
    care: dict[str, Answer] = {}
    mistakes: list[str] = []
    for path in _files(folder):
        try:
            if path.name == CARE_FILE:
                care = _CARE.validate_python(_read(path), context=context)
                continue
            read = _ENTRIES.validate_python(_read(path), context=context)
        except ValidationError as error:
            mistakes += [
                f"{path.name}: {'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
                for item in error.errors()
            ]
            continue
        mistakes += [
            f"{path.name}: {key}: there is another entry of this name" for key in read if key in entries
        ]
        entries |= read
    # What a file with mistakes holds is not known, so nothing can be said to be missing.
    knowledge = Knowledge.model_construct(entries=entries, care=care)
    if mistakes := mistakes or list(_gaps(knowledge)):
        raise ConfigurationError(f"{folder} is wrong:\n  " + "\n  ".join(mistakes))
    knowledge, broken = edited(knowledge, facts, edits)
    for section, why in broken.items():
        log.warning("What was edited under %s is left out: %s", section, "; ".join(why))
    return knowledge


def edited(knowledge: Knowledge, facts: ShopFacts, edits: Edits) -> tuple[Knowledge, dict[str, list[str]]]:
    """(what is known with the edited answers and care tips, why some of them don't fit, by section)."""
    ours = {section: value for section, value in edits.items() if section.startswith((SECTION, CARE))}
    context = {language: _placeholders(facts, language) for language in LANGUAGES}

    def apply(known: Knowledge, section: str, value: Any) -> Knowledge:
        answer = Answer.model_validate(value, context=context)
        if section.startswith(CARE):
            care = {**known.care, section.removeprefix(CARE): answer}
            return known.model_copy(update={"care": care})
        key = section.removeprefix(SECTION)
        if key not in known.entries:
            raise ValueError(f"there is no entry {key} in the files")
        entry = known.entries[key].model_copy(update={"answer": answer})
        return known.model_copy(update={"entries": {**known.entries, key: entry}})

    return merged(knowledge, ours, apply)


def spoken(texts: dict[str, str], facts: ShopFacts) -> dict[str, str]:
    """An answer as the bot says it, by language. Raises pydantic's ValidationError."""
    context = {language: _placeholders(facts, language) for language in LANGUAGES}
    answer = Answer.model_validate(texts, context=context)
    return {language: answer.of(language) for language in LANGUAGES}


def misfits(folder: Path, facts: ShopFacts, edits: Edits) -> dict[str, list[str]]:
    """Why some of the edited answers and care tips don't fit, by section."""
    known = {section.removeprefix(SECTION): Entry.model_construct() for section in written(folder)}
    return edited(Knowledge.model_construct(entries=known, care={}), facts, edits)[1]


def written(folder: Path) -> dict[str, dict[str, str]]:
    """The answers and care tips as they stand in the files, with their placeholders, by section."""
    texts: dict[str, dict[str, str]] = {}
    for path in _files(folder):
        if path.name == CARE_FILE:
            texts |= {f"{CARE}{key}": dict(tips) for key, tips in _read(path).items()}
        else:
            texts |= {f"{SECTION}{key}": dict(entry["answer"]) for key, entry in _read(path).items()}
    return texts


def placeholder_names(facts: ShopFacts) -> tuple[str, ...]:
    """What may stand in braces in an answer."""
    return tuple(_placeholders(facts, facts.language))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigurationError(f"Cannot read the shop's knowledge: there is no folder {folder}.")
    return sorted(folder.glob("*.yml"))


def _gaps(knowledge: Knowledge) -> Iterator[str]:
    """What is wrong with the files taken together."""
    for intent in INTENTS:
        if intent not in knowledge.entries:
            yield f"{intent}: no file has this entry, and the intent is answered by it"
    owners: dict[str, str] = {}
    for phrase, key in knowledge.phrases():
        owner = owners.setdefault(" ".join(words(phrase)), key)
        if owner != key:
            yield f"{key}.asked: “{phrase}” stands under {owner} as well"


def _placeholders(facts: ShopFacts, language: str) -> dict[str, str]:
    return {
        "shop": facts.name,
        "url": facts.url,
        "email": facts.contact.email,
        "phone": facts.contact.phone,
        "hours": facts.opening_hours(language),
        "refund_days": counted(facts.refunds.days, language),
        "refund_how": facts.refunds.how.of(language),
        "delivery_days": facts.delivery_days(),
        "payment_methods": listed(facts.payment_names(language), language),
    }


def _read(path: Path) -> Any:
    """The file's content, not to be changed: it is kept as long as the file is the same."""
    try:
        state = path.stat()
        return _parsed(path, state.st_mtime_ns, state.st_size) or {}
    except OSError as error:
        raise ConfigurationError(f"Cannot read the shop's knowledge: {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no valid YAML: {error}") from None


@lru_cache(maxsize=64)
def _parsed(path: Path, _changed: int, _size: int) -> Any:
    return yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506 - it is a safe one


class _Loader(yaml.SafeLoader):
    """Doesn't let an entry copied for a new one, and not renamed, silently take the place of the first."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = []
    for named, _ in node.value:
        key = loader.construct_object(named)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key} stands there twice", named.start_mark)
        seen.append(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _stamp(folder: Path) -> Stamp:
    """Something that changes with the files. A file that vanishes meanwhile is as good as gone."""
    found = []
    for path in sorted(folder.glob("*.yml")):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found.append((path.name, state.st_mtime_ns, state.st_size))
    return tuple(found)
