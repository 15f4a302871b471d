"""By which ways somebody does not want to be reached ("don't call me, e-mail me"). Pure; words come from
values.yml.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from rapport.conversations.lexicon import Said, any_of, last_words, words
from rapport.kit.languages import LANGUAGES

# "I don't want you to reach me any more by phone": further away the no belongs to something else.
WORDS_BETWEEN = 7


@dataclass(frozen=True)
class Refused:
    """A channel, and where it stands in the line."""

    channel: str
    start: int
    end: int


def find(said: Said) -> list[Refused]:
    """The channels a message refuses, each once, in the order they stand."""
    if not (last_words("channels") & said.words and last_words("refuse", "no_after") & said.words):
        return []
    # What sounds like a refusal is blanked out, so that places stay.
    line = _no_refusal().sub(lambda match: "|" * len(match.group()), said.line)
    nearest: dict[int, list[Refused]] = {}  # "no" is English and Spanish: by which one less lies between
    for language in LANGUAGES:
        for expression in _expressions(language):
            for match in expression.finditer(line):
                refused = _channels(match, language)
                other = nearest.setdefault(match.start(), refused)
                if refused[0].start < other[0].start:
                    nearest[match.start()] = refused
    found: dict[str, Refused] = {}
    for refused in nearest.values():
        for item in refused:
            found.setdefault(item.channel, item)
    return sorted(found.values(), key=lambda item: item.start)


def _channels(match: re.Match[str], language: str) -> list[Refused]:
    """Each channel in what was refused."""
    begin = match.start("channels")
    return [
        Refused(words("channels", language)[named.group()], begin + named.start(), begin + named.end())
        for named in re.finditer(rf"(?<= ){any_of('channels', language)}(?= )", f"{match['channels']} ")
    ]


@cache
def _no_refusal() -> re.Pattern[str]:
    return re.compile(rf"(?<= )(?:{'|'.join(any_of('no_refusal', language) for language in LANGUAGES)})(?= )")


@cache
def _expressions(language: str) -> tuple[re.Pattern[str], ...]:
    """No … channel, one or several; and channel … no."""

    def one_of(section: str) -> str:
        return any_of(section, language)

    channel = one_of("channels")
    # "Don't call, text or mail me" refuses three, "don't call, text me" only one.
    several = (
        rf"(?: {channel}(?:(?: \|)? {channel}){{0,3}} {one_of('or')}(?: (?!{one_of('but')} )\w+)?)? {channel}"
    )
    between = rf"(?: (?!(?:{one_of('but')}|{channel}) )\w+){{0,{WORDS_BETWEEN}}}"
    no = rf"{one_of('no_after')}(?: {one_of('thanks')})?"
    return (
        re.compile(rf"(?<= ){one_of('refuse')}{between}(?P<channels>{several})(?= )"),
        re.compile(rf"(?P<channels> {channel})(?: \w+)? {no}(?= \||\s*$| que )"),
    )
