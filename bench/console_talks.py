"""Conversations for bench/console.py, and what the shop's people did with them.

What customers say stands in data/nlu, what the bot says in data/responses, and rare words are mixed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import yaml

from bench.console_rows import CHUNK, LANGUAGES, SPAN, Rows, chosen, rare, within
from rapport.kit.settings import ROOT

CHANNELS = {"web": 70, "whatsapp": 12, "email": 10, "telegram": 5, "sms": 2.5, "messenger": 0.5}
APPS = ("whatsapp", "telegram", "sms", "messenger")
CASE_KINDS = {"complaint": 30, "request": 50, "review": 10, "callback": 10}
EXCHANGES = (1, 2, 3, 4, 5, 5, 6, 8, 11)
# The first conversation never ended: the heaviest page of its kind.
LONGEST = 2_000


def talks(random: Random, count: int, people: int, staff: list[int], end: datetime) -> Iterator[Rows]:
    """So many conversations with ten messages each on average, some thousand at a time."""
    maker = _Maker(random, people, staff, end)
    for number in range(count):
        maker.talk(number, end - SPAN * ((count - number) / count))
        if number % (CHUNK // 10) == 0:
            yield maker.rows.take()
    maker.in_public(count // 10)
    yield maker.rows.take()


class _Maker:
    def __init__(self, random: Random, people: int, staff: list[int], end: datetime) -> None:
        self.random, self.people, self.staff, self.end = random, people, staff, end
        self.rows = Rows()
        self.said, self.answers = _examples(), _answers()
        self.weights = {
            language: [1 / n for n in range(1, len(self.said[language]) + 1)] for language in LANGUAGES
        }

    def talk(self, number: int, at: datetime) -> None:
        random, add = self.random, self.rows.add
        key = f"{random.getrandbits(128):032x}" if number else "0" * 32
        channel, language = chosen(random, CHANNELS), chosen(random, LANGUAGES)
        # Who waits for a person wrote lately, and a few who wrote long ago were forgotten.
        waits = random.random() < (0.05 if self.end - at < timedelta(days=7) else 0.001)
        known = random.randrange(1, self.people + 1) if number and random.random() < 0.6 else None
        customer = known if number else 1
        begun, exchanges = at, random.choice(EXCHANGES) if number else LONGEST // 2
        intents, lowest, last, at = self._messages(key, channel, language, exchanges, at)
        status = random.choice(("waiting", "human")) if waits else "bot"
        somebody = random.choice(self.staff)
        add(
            "conversation",
            id=key,
            channel=channel,
            language=language,
            status=status,
            customer_id=customer,
            last_sequence=exchanges * 2,
            created_at=begun,
            updated_at=at,
            lowest_confidence=lowest,
            not_understood="nlu_fallback" in intents,
            intents=f",{','.join(intents)},",
            assigned_to=somebody if random.random() < 0.03 else None,
        )
        if channel in APPS and customer:
            address = f"{channel}-{number}"
            add(
                "contact_point",
                channel=channel,
                address=address,
                conversation_id=key,
                customer_id=customer,
                last_inbound_at=at,
            )
        if waits or random.random() < 0.05:
            self._handoff(key, status, somebody, at)
        if random.random() < 0.03:
            self._case(chosen(random, CASE_KINDS), key, customer, language, at)
        if random.random() < 0.15:
            score = random.choices((None, 1, 2, 3, 4, 5), (8, 1, 1, 2, 5, 8))[0]
            given = at if score else None
            add(
                "satisfaction",
                conversation_id=key,
                message_key=f"s{number}",
                handled_by=random.choice(("bot", "bot", "person")),
                asked_at=at,
                score=score,
                at=given,
            )
        self._looked_at(key, customer, somebody, last, language, at)

    def _messages(
        self, key: str, channel: str, language: str, exchanges: int, at: datetime
    ) -> tuple[dict[str, bool], float, int, datetime]:
        """What was said: (intents, least confidence, id of the last message, its time)."""
        random, said, weights = self.random, self.said[language], self.weights[language]
        intents: dict[str, bool] = {}
        lowest, number, sequence = 1.0, 0, 0
        for _ in range(exchanges):
            at += timedelta(seconds=random.randrange(10, 90))
            intent, texts = random.choices(said, weights)[0]
            confidence = round(random.betavariate(9, 1), 3)
            if confidence < 0.45:
                intent = "nlu_fallback"
            intents[intent], lowest = True, min(lowest, confidence)
            text = f"{random.choice(texts)} {rare(random)}" if random.random() < 0.5 else random.choice(texts)
            for author, words, status, understood, surely in (
                ("customer", text, "answered", intent, confidence),
                ("bot", random.choice(self.answers[language]), "stored", None, None),
            ):
                sequence += 1
                number = self.rows.add(
                    "message",
                    conversation_id=key,
                    sequence=sequence,
                    author=author,
                    channel=channel,
                    status=status,
                    text=words,
                    language=language,
                    intent=understood,
                    confidence=surely,
                    at=at,
                )
        return intents, lowest, number, at

    def _handoff(self, key: str, status: str, somebody: int, at: datetime) -> None:
        random = self.random
        taken = at + timedelta(minutes=random.randrange(1, 30)) if status != "waiting" else None
        self.rows.add(
            "handoff",
            conversation_id=key,
            message_key=f"h:{key}",
            reason="contact_human_agent",
            requested_at=at,
            taken_at=taken,
            staff_id=somebody if taken else None,
            first_answer_at=taken + timedelta(minutes=1) if taken else None,
            waiting_since=None if taken else at,
            closed_at=taken + timedelta(hours=1) if taken and status == "bot" else None,
        )

    def _case(self, kind: str, key: str | None, customer: int | None, language: str, at: datetime) -> int:
        """An old case is resolved, a new one mostly open."""
        random, add = self.random, self.rows.add
        resolved = None if random.random() < 0.02 else within(random, at, at + timedelta(days=5))
        resolved = resolved if resolved and resolved < self.end else None
        number = self.rows.next("case")
        owner = random.choice(self.staff) if random.random() < 0.8 else None
        case = add(
            "case",
            kind=kind,
            status="resolved" if resolved else "open",
            conversation_id=key,
            customer_id=customer,
            message_key=f"c{number}",
            text="Torn when it arrived, and nobody answers.",
            language=language,
            owner_id=owner,
            due_at=at + timedelta(days=3),
            opened_at=at,
            resolved_at=resolved,
            version=3,
        )
        for version, what in enumerate(("opened", "answered", "resolved")[: 3 if resolved else 2], 1):
            add(
                "case_event",
                case_id=case,
                version=version,
                at=at,
                staff_id=owner,
                kind=what,
                text="We are looking into it." if what == "answered" else None,
            )
        return case

    def _looked_at(
        self, key: str, customer: int | None, somebody: int, last: int, language: str, at: datetime
    ) -> None:
        """Notes, tags, corrections, and the audit log."""
        random, add = self.random, self.rows.add
        if random.random() < 0.05:
            add("note", conversation_id=key, staff_id=somebody, text="She will call again.", at=at)
        if random.random() < 0.03:
            tag = random.choice(("vip", "returns", "idea"))
            add("conversation_tag", conversation_id=key, tag=tag, staff_id=somebody, at=at)
        if random.random() < 0.05:
            kind = random.choice(("intent", "answer"))
            decided = random.random() < 0.98
            add(
                "annotation",
                message_id=last - (kind == "intent"),
                staff_id=somebody,
                kind=kind,
                value=random.choice(("track_order", "get_refund"))
                if kind == "intent"
                else random.choice(("good", "bad")),
                words=f"where is my {rare(random)}" if kind == "intent" else "",
                language=language,
                status=("applied" if decided else "proposed") if kind == "intent" else "noted",
                created_at=at,
            )
        looked: list[tuple[str, str, Any]] = [("look", "conversation", key)] * 2
        looked += [("look", "customer", customer)] if customer else [("search", "customer", None)]
        for action, subject, number in looked:
            add(
                "audit_event",
                at=at,
                staff_id=random.choice(self.staff),
                action=action,
                subject=subject,
                subject_id=None if number is None else str(number),
                details={"full": True},
            )

    def in_public(self, count: int) -> None:
        """What was said of the shop in public; some of it opened cases."""
        random, add = self.random, self.rows.add
        for number in range(1, count + 1):
            at = self.end - SPAN * ((count - number) / count)
            language = chosen(random, LANGUAGES)
            kind = random.choices(("complaint", "doubt", "praise", "neutral"), (15, 10, 35, 40))[0]
            customer = random.randrange(1, self.people + 1) if random.random() < 0.1 else None
            case = self._case("mention", None, customer, language, at) if kind == "complaint" else None
            state = "case" if case else random.choices(("new", "answered", "noted"), (1, 10, 40))[0]
            mention = add(
                "mention",
                source=random.choice(("mastodon", "facebook")),
                source_id=str(number),
                author=f"@{rare(random)}@social.example",
                author_id=str(number % max(count // 3, 1)),
                text=f"{random.choice(self.said[language][0][1])} {rare(random)}",
                language=language,
                at=at,
                kind=kind,
                confidence=0.9,
                state=state,
                case_id=case,
                customer_id=customer,
                seen_at=at,
                checked_at=at,
            )
            if state == "answered":
                add(
                    "mention_answer",
                    key=str(number),
                    mention_id=mention,
                    source="mastodon",
                    text="Thank you!",
                    status="sent",
                    created_at=at,
                    sent_at=at,
                )


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
