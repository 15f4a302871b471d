"""Jinja as all pages use it: escaped, strict, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal, format_percent
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from rapport.console.i18n import mark, translations
from rapport.console.names import word
from rapport.kit import clock, languages, templates
from rapport.kit import format as formats
from rapport.kit.format import LOCALES
from rapport.shop.facts import get_facts
from rapport.value.segments import get_segments

TEMPLATES = Path(__file__).parent / "templates"
ROLE_NAMES = {"agent": mark("Agent"), "manager": mark("Manager"), "admin": mark("Administrator")}


@cache
def environment(language: str) -> Environment:
    """The templates, speaking this language."""
    made = templates.environment(TEMPLATES, "jinja2.ext.i18n")
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        tr=partial(_translated, language=language),
        csrf_field=_csrf_field,
        role_name=partial(_role_name, language=language),
        language_name=_language_name,
        word=partial(word, language=language),
    )
    made.globals["icons"] = made.get_template("icons.html").module
    made.filters.update(
        when=partial(when, language=language),
        day=partial(_day, language=language),
        ago=partial(ago, language=language),
        duration=partial(duration, language=language),
        money=partial(_money, language=language),
        number=partial(_number, language=language),
        percent=partial(_percent, language=language),
        segment_name=partial(_segment_name, language=language),
        stage_name=partial(word, "stage", language=language),
    )
    return made


def render(template: str, language: str, values: Mapping[str, Any]) -> str:
    """A template, filled in."""
    return environment(language).get_template(template).render(values)


def _translated(message: str, language: str) -> str:
    """A marked text that a variable holds: escaped like any other. `_()` is for what stands in the template
    itself: its result counts as markup.
    """
    return translations(language).gettext(message) if message else ""


def _role_name(role: str, language: str) -> str:
    return translations(language).gettext(ROLE_NAMES[role])


def _segment_name(key: str, language: str) -> str:
    return get_segments().name(key, language)


def _language_name(code: str) -> str:
    """A language as those who speak it call it."""
    return languages.NAMES.get(code, code)


@pass_context
def _csrf_field(context: Context) -> Markup:
    """What each form carries to show that it came from our own page."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(context["csrf"])


def when(at: datetime | None, language: str) -> str:
    """Day and time at the shop, short: `3 May 2026, 14:05`."""
    if at is None:
        return "–"
    local = at.astimezone(ZoneInfo(get_facts().timezone))
    return f"{format_date(local, 'medium', locale=LOCALES[language])}, {local:%H:%M}"


def ago(at: datetime | None, language: str) -> str:
    """How long ago (or from now) something is: `5 minutes ago`."""
    if at is None:
        return "–"
    return format_timedelta(at - clock.now(), add_direction=True, locale=LOCALES[language])


def duration(seconds: float | timedelta | None, language: str) -> str:
    """A length of time: `3 minutes`."""
    if seconds is None:
        return "–"
    length = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
    return format_timedelta(length, locale=LOCALES[language], threshold=1.5)


def _day(at: datetime | None, language: str) -> str:
    return formats.short_day(at, language, get_facts().timezone) if at else "–"


def _money(minor: int | None, currency: str | None = None, *, language: str) -> str:
    return "–" if minor is None else formats.money(minor, currency or get_facts().currency, language)


def _number(value: float | None, digits: int = 0, *, language: str) -> str:
    if value is None:
        return "–"
    return _decimal(round(value, digits), language)


@lru_cache(10_000)  # a page of figures has hundreds, many of them alike
def _decimal(value: float, language: str) -> str:
    return format_decimal(value, locale=LOCALES[language])


def _percent(share: float | None, digits: int = 0, *, language: str) -> str:
    """A share from 0 to 1."""
    if share is None:
        return "–"
    pattern = Locale.parse(LOCALES[language]).percent_formats[None].pattern
    if digits:
        pattern = pattern.replace("##0", "##0." + "0" * digits)
    return format_percent(share, pattern, locale=LOCALES[language])
