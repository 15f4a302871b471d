"""Fills a database with conversations for bench/console.py.

What customers say stands in data/nlu, what the bot says in data/responses, and rare words are mixed in. The
same for the same seed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg
import yaml
from sqlalchemy import Engine

from rapport.kit import clock
from rapport.kit.settings import ROOT
from rapport.value.segments import get_segments

LANGUAGES = {"nb": 40, "en": 30, "es": 20, "ro": 10}
CHANNELS = {"web": 70, "whatsapp": 12, "email": 10, "telegram": 5, "sms": 2.5, "messenger": 0.5}
SYLLABLES = tuple("kalomiretuvikdorelfagrihemjonorpil"[n : n + 3] for n in range(0, 30, 2))
SPAN = timedelta(days=730)
CHUNK = 20_000
TABLES = {
    "customer": "id, name, language, stage, created_at",
    "identity": "id, customer_id, kind, value",
    "customer_value": "customer_id, orders, buying_days, revenue_minor, costed_minor, margin_minor,"
    " segment, version, computed_at",
    "order": "id, source, number, customer_id, status, currency, total_minor, placed_at",
    "conversation": "id, channel, language, language_chosen, status, customer_id, last_sequence, created_at,"
    " updated_at, lowest_confidence, not_understood, intents, assigned_to",
    "message": "id, conversation_id, sequence, author, channel, status, text, content, language, intent,"
    " confidence, attempts, at",
    "case": "id, kind, status, conversation_id, message_key, text, language, priority, due_at, opened_at,"
    " version",
    "satisfaction": "id, conversation_id, message_key, handled_by, asked_at, score, at",
    "conversation_tag": "conversation_id, tag, staff_id, at",
}  # fmt: skip
Rows = dict[str, list[tuple[Any, ...]]]


def load(engine: Engine, conversations: int, staff_id: int, seed: int = 7) -> None:
    """Write so many conversations, with ten messages each on average."""
    connection = engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            _write(driver, make(conversations, staff_id, seed))
            driver.commit()
            driver.execute("ANALYZE")
        else:
            _copy(driver, make(conversations, staff_id, seed))
        driver.commit()
    finally:
        connection.close()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as plain:
        if engine.dialect.name == "postgresql":
            plain.exec_driver_sql("VACUUM ANALYZE")
        else:
            plain.exec_driver_sql("INSERT INTO message_search (message_search) VALUES ('optimize')")


def _write(driver: sqlite3.Connection, made: Iterator[Rows]) -> None:
    """What the triggers would do row by row is done at once afterwards, by the triggers' own statements."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_search_add'"
    triggers = dict(driver.execute(query).fetchall())
    for name in triggers:
        driver.execute(f"DROP TRIGGER {name}")
    for rows in made:
        for table, some in rows.items():
            columns = TABLES[table]
            marks = ", ".join("?" * len(columns.split(",")))
            driver.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', some)
    for name, trigger in triggers.items():
        add = trigger.partition("BEGIN")[2].rpartition(";")[0]
        driver.execute(f"{add.replace('WHERE', f'FROM {name[:-11]} AS new WHERE')}")
        driver.execute(trigger)


def _copy(driver: psycopg.Connection[Any], made: Iterator[Rows]) -> None:
    """What the triggers would do row by row is done at once afterwards, as the migration does it."""
    with driver.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        for name in ("message", "customer"):
            cursor.execute(f"ALTER TABLE {name} DISABLE TRIGGER {name}_search")
            cursor.execute(f"DROP INDEX ix_{name}_search")
        for rows in made:
            for table, some in rows.items():
                with cursor.copy(f'COPY "{table}" ({TABLES[table]}) FROM STDIN') as copy:
                    for row in some:
                        copy.write_row(row)
        for name, column in (("message", "text"), ("customer", "name")):
            cursor.execute(f"INSERT INTO {name}_search SELECT id, search_words({column}) FROM {name}")
            cursor.execute(
                f"CREATE INDEX ix_{name}_search ON {name}_search USING gin (words) WITH (fastupdate = off)"
            )
            cursor.execute(f"ALTER TABLE {name} ENABLE TRIGGER {name}_search")


def make(conversations: int, staff_id: int, seed: int) -> Iterator[Rows]:
    """The rows of all tables, some thousand conversations at a time."""
    random = Random(seed)
    said, answers = _examples(), _answers()
    weights = {language: [1 / n for n in range(1, len(said[language]) + 1)] for language in LANGUAGES}
    segments = [segment.key for segment in get_segments().all]
    end = clock.now()
    people = max(conversations // 3, 1)
    rows = _people(random, people, segments, end)
    message_id = 0
    for number in range(conversations):
        at = end - SPAN * ((conversations - number) / conversations)
        language = random.choices([*LANGUAGES], [*LANGUAGES.values()])[0]
        channel = random.choices([*CHANNELS], [*CHANNELS.values()])[0]
        key = f"{random.getrandbits(128):032x}"
        waits = random.random() < 0.004
        known = random.random() < 0.6
        sequence, intents, lowest = 0, {}, 1.0
        for _ in range(random.choice((1, 2, 3, 4, 5, 5, 6, 8, 11))):
            at += timedelta(seconds=random.randrange(10, 90))
            intent, texts = random.choices(said[language], weights[language])[0]
            confidence = round(random.betavariate(9, 1), 3)
            if confidence < 0.45:
                intent = "nlu_fallback"
            intents[intent], lowest = True, min(lowest, confidence)
            text = (
                f"{random.choice(texts)} {_rare(random)}" if random.random() < 0.5 else random.choice(texts)
            )
            for author, words, more in (
                ("customer", text, (language, intent, confidence)),
                ("bot", random.choice(answers[language]), (language, None, None)),
            ):
                message_id, sequence = message_id + 1, sequence + 1
                status = "answered" if author == "customer" else "stored"
                rows["message"].append(
                    (message_id, key, sequence, author, channel, status, words, "{}", *more, 0, _time(at))
                )
        rows["conversation"].append(
            (
                key, channel, language, False, random.choice(("waiting", "human")) if waits else "bot",
                random.randrange(1, people + 1) if known else None, sequence, _time(at), _time(at), lowest,
                "nlu_fallback" in intents, f",{','.join(intents)},",
                staff_id if random.random() < 0.03 else None,
            )
        )  # fmt: skip
        if random.random() < 0.01:
            rows["case"].append(
                (
                    number + 1,
                    "complaint",
                    "open",
                    key,
                    f"c{number}",
                    "x",
                    language,
                    "normal",
                    _time(at),
                    _time(at),
                    1,
                )
            )
        if random.random() < 0.15:
            score = random.choices((1, 2, 3, 4, 5), (1, 1, 2, 5, 8))[0]
            rows["satisfaction"].append((number + 1, key, f"s{number}", "bot", _time(at), score, _time(at)))
        if random.random() < 0.03:
            rows["conversation_tag"].append(
                (key, random.choice(("vip", "returns", "idea")), staff_id, _time(at))
            )
        if len(rows["conversation"]) >= CHUNK:
            yield rows
            rows = {table: [] for table in TABLES}
    yield rows


def _people(random: Random, people: int, segments: list[str], end: datetime) -> Rows:
    rows: Rows = {table: [] for table in TABLES}
    for number in range(1, people + 1):
        name = f"{_rare(random).title()} {_rare(random).title()}"
        rows["customer"].append((number, name, "en", "trust", _time(end - SPAN)))
        rows["identity"].append((number, number, "email", f"p{number}@example.com"))
        rows["customer_value"].append((number, 1, 1, 100, 0, 0, random.choice(segments), 1, _time(end)))
        rows["order"].append((number, "shop", f"FJ-{number}", number, "paid", "NOK", 100, _time(end - SPAN)))
    return rows


def _rare(random: Random) -> str:
    return "".join(random.choice(SYLLABLES) for _ in range(random.randrange(2, 5)))


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _examples() -> dict[str, list[tuple[str, list[str]]]]:
    """(intent, what customers say) by language."""
    found: dict[str, list[tuple[str, list[str]]]] = {language: [] for language in LANGUAGES}
    for file in sorted((ROOT / "data" / "nlu").glob("*.yml")):
        for part in yaml.safe_load(file.read_text(encoding="utf-8")).get("nlu", ()):
            language = (part.get("metadata") or {}).get("language")
            if "intent" not in part or language not in found:
                continue
            lines = [line[2:] for line in part["examples"].splitlines() if line.startswith("- ")]
            texts = [re.sub(r"\[([^]]*)\](\([^)]*\)|\{[^}]*\})", r"\1", line) for line in lines]
            found[language].append((part["intent"], texts))
    return found


def _answers() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    for file in sorted((ROOT / "data" / "responses").glob("*.yml")):
        for wordings in yaml.safe_load(file.read_text(encoding="utf-8")).get("responses", {}).values():
            for wording in wordings:
                spoken = next(
                    (c["value"] for c in wording.get("condition", ()) if c["name"] == "language"), "en"
                )
                if wording.get("text") and spoken in found:
                    found[spoken].append(wording["text"])
    return found
