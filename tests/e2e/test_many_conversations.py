"""20 conversations of 10 turns at once: every message is answered once and in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import requests

from tests.stack import Stack, Talk, wait_until

CONVERSATIONS = 20
TURNS = 10
SENTENCES = (
    "hello",
    "what can you do?",
    "how does the club work?",
    "I love tents",
    "what are my delivery options?",
    "how can I pay?",
    "what is your refund policy?",
    "how can I reach customer service?",
    "thanks a lot",
    "bye",
)


def assert_answered_once_and_in_order(stack: Stack, talk: Talk, texts: list[str]) -> None:
    """Every text is in the log once, in its order, each followed by the replies to it and to nothing else."""
    rows = stack.rows(
        "SELECT id, author, text, status, reply_to FROM message WHERE conversation_id = ? ORDER BY sequence",
        talk.id,
    )
    asked = [row for row in rows if row[1] == "customer"]
    assert [row[2] for row in asked] == texts
    assert {row[3] for row in asked} == {"answered"}
    replied_to = [row[4] for row in rows if row[1] == "bot"]
    assert set(replied_to) == {row[0] for row in asked}, "a message without an answer"
    assert replied_to == sorted(replied_to), "answers out of order"


def all_answered(stack: Stack) -> bool:
    return not stack.rows("SELECT 1 FROM message WHERE status = 'received'")


def test_every_message_is_answered_once_and_in_order(stack: Stack) -> None:
    talks = [stack.talk() for _ in range(CONVERSATIONS)]

    def converse(talk: Talk) -> None:
        for sentence in SENTENCES:
            # Without waiting: the next message is there before the last one is answered.
            talk.post(sentence)

    with ThreadPoolExecutor(CONVERSATIONS) as pool:
        list(pool.map(converse, talks))
    wait_until(lambda: all_answered(stack), 90, "all answers")
    for talk in talks:
        assert_answered_once_and_in_order(stack, talk, list(SENTENCES))


def test_the_same_client_id_twice_is_one_message(stack: Stack) -> None:
    talk = stack.talk()
    body = {"text": "hello", "client_id": uuid4().hex}

    def post(_: int) -> requests.Response:
        return requests.post(
            f"{stack.url}/api/chat/messages?wait=1", json=body, headers=talk.headers, timeout=20
        )

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert_answered_once_and_in_order(stack, talk, ["hello"])
