"""Telegram: what its updates tell, what goes out, and what its answers mean."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import telegram as library
from pydantic import SecretStr
from sqlalchemy import Engine, select

from rapport.channels import links, notices, rules
from rapport.channels.base import (
    Button,
    Event,
    InDoubtError,
    Left,
    Part,
    RefusedError,
    Report,
    Request,
    Said,
    Sender,
    Target,
    TryAgainError,
    Unreadable,
)
from rapport.channels.models import ContactPoint, Delivery
from rapport.channels.telegram import TelegramChannel, make
from rapport.channels.telegram_api import TelegramApi, TelegramError
from rapport.channels.telegram_updates import ALLOWED_UPDATES, GREETING
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import Customer
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConfigurationError, UnauthorizedError
from rapport.kit.settings import Settings
from tests.channels.fakes.telegram import CONTENT, SECRET, TOKEN, BotApi, Telegram, user
from tests.fake_rasa import FakeRasa, answer, reply
from tests.running import RunningApp, until

PROVIDER = Telegram
ANN = 5_000_000_001
BOT = TOKEN.split(":")[0]
TO_ANN = Target(str(ANN), "conversation:1:1", "en")


@pytest.fixture
def api() -> Iterator[BotApi]:
    fake = BotApi()
    fake.chats.add(ANN)
    yield fake
    fake.close()


@pytest.fixture
def channel(api: BotApi) -> TelegramChannel:
    return TelegramChannel(TOKEN, SECRET, TelegramApi(TOKEN, api.url))


def read(channel: TelegramChannel, update: Any) -> list[Event]:
    body = update if isinstance(update, bytes) else json.dumps({"update_id": 1, **update}).encode()
    return list(channel.read(Request("https://x.example/channels/telegram", {}, body)))


def said(channel: TelegramChannel, api: BotApi, **content: Any) -> Event:
    [found] = read(channel, {"message": api.message(ANN, **content)})
    return found


# --- who calls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [None, "", "guess", SECRET[:-1], SECRET + "x", "ü" * 40])
def test_only_telegram_knows_the_secret(channel: TelegramChannel, shown: str | None) -> None:
    headers = {} if shown is None else {"X-Telegram-Bot-Api-Secret-Token": shown}
    with pytest.raises(UnauthorizedError):
        channel.check(Request("", headers, b"{}"))
    channel.check(Request("", {"X-Telegram-Bot-Api-Secret-Token": SECRET}, b"{}"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"telegram_secret": None}, "RAPPORT_TELEGRAM_SECRET is not set"),
        ({"telegram_secret": SecretStr("")}, "RAPPORT_TELEGRAM_SECRET is not set"),
        ({"telegram_token": None}, "RAPPORT_TELEGRAM_TOKEN is not set"),
        ({"telegram_secret": SecretStr("short")}, "32 to 256"),
        ({"telegram_secret": SecretStr("with spaces " * 4)}, "32 to 256"),
        ({"telegram_token": SecretStr("no token")}, "no token of a bot"),
        ({"telegram_bot": "https://t.me/x"}, "RAPPORT_TELEGRAM_BOT"),
    ],
)
def test_it_is_not_switched_on_half(
    settings: Settings, provider: Telegram, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as error:
        make(settings.model_copy(update={**provider.settings(), **changes}))
    assert SECRET not in str(error.value)
    assert TOKEN not in str(error.value)


def test_it_is_off_without_settings(settings: Settings, provider: Telegram) -> None:
    assert make(settings) is None
    empty = {"telegram_token": SecretStr(""), "telegram_secret": SecretStr("")}
    assert make(settings.model_copy(update=empty)) is None
    assert make(settings.model_copy(update=provider.settings())) is not None


# --- what comes in -----------------------------------------------------------------------------------------


def test_a_text(channel: TelegramChannel, api: BotApi) -> None:
    message = api.message(ANN, text="¿dónde está mi pedido? 📦")
    message["from"] = user(ANN, "es-MX")
    assert read(channel, {"message": message}) == [
        Said(
            Sender(str(ANN), language="es-MX"),
            f"{BOT}:{ANN}:{message['message_id']}",
            "¿dónde está mi pedido? 📦",
        )
    ]


def test_another_bot_numbers_its_messages_anew(api: BotApi) -> None:
    other = TelegramChannel(TOKEN.replace(BOT, "7000000002"), SECRET, TelegramApi(TOKEN, api.url))
    [found] = read(other, {"message": api.message(ANN, message_id=7, text="hello")})
    assert isinstance(found, Said)
    assert found.provider_id == f"7000000002:{ANN}:7"


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("sticker", "sticker"),
        ("voice", "voice"),
        ("audio", "voice"),
        ("video_note", "voice"),
        ("image", "image"),
        ("video", "video"),
        ("file", "file"),
        ("animation", "file"),
        ("location", "location"),
        ("venue", "location"),
        ("contact", "contact"),
        ("other", "other"),
    ],
)
def test_what_is_no_text(channel: TelegramChannel, api: BotApi, kind: str, what: str) -> None:
    found = said(channel, api, **CONTENT[kind])
    assert isinstance(found, Unreadable)
    assert found.what == what
    assert what in notices.UNREADABLE


def test_what_nobody_has_heard_of_yet(channel: TelegramChannel, api: BotApi) -> None:
    found = said(channel, api, hologram={"depth": 3})
    assert isinstance(found, Unreadable)
    assert found.what == "other"


def test_words_below_a_picture_are_words(channel: TelegramChannel, api: BotApi) -> None:
    found = said(channel, api, caption="this arrived broken", **CONTENT["image"])
    assert isinstance(found, Said)
    assert found.text == "this arrived broken"


def test_an_album_is_answered_once(channel: TelegramChannel, api: BotApi) -> None:
    pictures = [said(channel, api, media_group_id="139", **CONTENT["image"]) for _ in range(3)]
    words = said(channel, api, media_group_id="139", caption="all broken", **CONTENT["image"])
    assert len({found.provider_id for found in pictures if isinstance(found, Unreadable)}) == 1
    assert isinstance(words, Said)
    assert words.provider_id not in {getattr(found, "provider_id", "") for found in pictures}


@pytest.mark.parametrize(
    "content",
    [
        {"pinned_message": {"message_id": 1, "date": 0, "chat": {"id": ANN, "type": "private"}}},
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 86400}},
        {"write_access_allowed": {}},
    ],
)
def test_what_the_app_notes_by_itself_is_no_message(
    channel: TelegramChannel, api: BotApi, content: dict[str, Any]
) -> None:
    assert read(channel, {"message": api.message(ANN, **content)}) == []


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
def test_groups_are_left_alone(channel: TelegramChannel, api: BotApi, kind: str) -> None:
    chat = {"id": -1001, "type": kind, "title": "Friends"}
    for update in (
        {"message": {**api.message(ANN, text="hello"), "chat": chat}},
        {"edited_message": {**api.message(ANN, text="hello", edit_date=9), "chat": chat}},
        {"channel_post": {"message_id": 1, "date": 1, "chat": chat, "text": "news"}},
        {"my_chat_member": {**api.membership(ANN, "kicked")["my_chat_member"], "chat": chat}},
        {"message_reaction": {**api.reaction(ANN, 1, "👍")["message_reaction"], "chat": chat}},
    ):
        assert read(channel, update) == []
    press = api.press(ANN, "1:b1", "Yes")
    press["callback_query"]["message"]["chat"] = chat
    assert read(channel, press) == []


def test_bots_are_left_alone(channel: TelegramChannel, api: BotApi) -> None:
    message = api.message(ANN, text="hello")
    message["from"]["is_bot"] = True
    assert read(channel, {"message": message}) == []


@pytest.mark.parametrize(
    ("typed", "text", "link"),
    [
        ("/start", GREETING, None),
        ("/START", GREETING, None),
        ("/start@fjordly_bot", GREETING, None),
        ("/start spring-campaign", GREETING, None),
        ("/start " + "aB3" * 10 + "xY", "/start", "aB3" * 10 + "xY"),
        ("/help", "help", None),
        ("/my_points", "my points", None),
        ("/track 1001", "track 1001", None),
        ("/stop", "stop", None),
        ("/", "/", None),
        ("/5 kr?", "5 kr?", None),
        ("and/or", "and/or", None),
    ],
)
def test_commands(channel: TelegramChannel, api: BotApi, typed: str, text: str, link: str | None) -> None:
    found = said(channel, api, text=typed)
    assert isinstance(found, Said)
    assert (found.text, found.link) == (text, link)


def test_a_link_holds_what_links_make(channel: TelegramChannel, api: BotApi, session: Any) -> None:
    customer = Customer(language="en")
    session.add(customer)
    session.flush()
    token = links.create(session, "telegram", customer.id)
    url = channel.link(token)
    assert url == f"https://t.me/fjordly_bot?start={token}"
    assert len(token) <= 64  # Telegram's limit
    found = said(channel, api, text=f"/start {token}")
    assert isinstance(found, Said)
    assert found.link == token


def test_the_bots_name_is_asked_once(
    channel: TelegramChannel, api: BotApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rapport.channels.telegram.NAME_AGAIN_SECONDS", 0.3)
    api.token = "7:revoked"
    assert channel.link("a" * 32) is None
    api.token = TOKEN
    # For a while nobody asks again: each who asks would wait for Telegram.
    assert channel.link("a" * 32) is None
    assert api.called == []
    assert len(caplog.records) == 1
    time.sleep(0.3)
    assert channel.link("a" * 32) == channel.link("a" * 32)
    assert api.called == ["getMe"]
    named = TelegramChannel(TOKEN, SECRET, TelegramApi(TOKEN, "http://127.0.0.1:9"), "fjordly_bot")
    assert named.link("a" * 32) == "https://t.me/fjordly_bot?start=" + "a" * 32


def test_an_edit_is_told_once(channel: TelegramChannel, api: BotApi) -> None:
    message = api.message(ANN, text="mended", edit_date=1_700_000_000)
    [first] = read(channel, {"edited_message": message})
    assert isinstance(first, Unreadable)
    assert first.what == "edit"
    assert read(channel, {"edited_message": message}) == [first]
    [second] = read(channel, {"edited_message": {**message, "edit_date": 1_700_000_001}})
    assert second != first
    # Telegram changed something about it that nobody sees; and a location that moves.
    assert read(channel, {"edited_message": api.message(ANN, text="the same")}) == []
    moving = api.message(ANN, edit_date=1_700_000_000, **CONTENT["location"])
    assert read(channel, {"edited_message": moving}) == []


def test_a_reaction_that_is_taken_back_says_nothing(channel: TelegramChannel, api: BotApi) -> None:
    [found] = read(channel, api.reaction(ANN, 55, "👍"))
    assert isinstance(found, Unreadable)
    assert (found.what, found.sender.address) == ("reaction", str(ANN))
    assert read(channel, api.reaction(ANN, 55)) == []


def test_a_pressed_button(channel: TelegramChannel, api: BotApi) -> None:
    channel.send(TO_ANN, Part("What now?", (Button("3:b1", "Track it"), Button("3:b2", "A person"))))
    [found] = read(channel, api.press(ANN, "3:b2", "A person"))
    assert isinstance(found, Said)
    assert (found.text, found.button) == ("A person", "3:b2")
    # Each press is one; of a message too old to be shown again, too.
    [again] = read(channel, api.press(ANN, "3:b2", "A person"))
    assert isinstance(again, Said)
    assert again.provider_id != found.provider_id
    press = api.press(ANN, "3:b1", "Track it")
    chat = {"id": ANN, "type": "private"}
    press["callback_query"]["message"] = {"message_id": 4, "date": 0, "chat": chat}
    [old] = read(channel, press)
    assert isinstance(old, Said)
    assert (old.text, old.button) == ("", "3:b1")


def test_the_acknowledgement_ends_the_spinner(channel: TelegramChannel, api: BotApi) -> None:
    press = api.press(ANN, "3:b2", "A person")
    body, media_type = channel.acknowledge(Request("", {}, json.dumps(press).encode()))
    assert media_type == "application/json"
    assert json.loads(body) == {
        "method": "answerCallbackQuery",
        "callback_query_id": press["callback_query"]["id"],
    }
    for other in (json.dumps({"message": api.message(ANN, text="hi")}).encode(), b"nonsense"):
        assert json.loads(channel.acknowledge(Request("", {}, other))[0]) == {"ok": True}


def test_who_blocks_us(channel: TelegramChannel, api: BotApi) -> None:
    [gone] = read(channel, api.membership(ANN, "kicked"))
    [back] = read(channel, api.membership(ANN, "member"))
    assert isinstance(gone, Left)
    assert isinstance(back, Left)
    assert (gone.back, back.back) == (False, True)
    assert gone.provider_id != back.provider_id
    assert gone.at is not None
    assert abs(gone.at - datetime.now(UTC)) < timedelta(seconds=3)


DEEP = b'{"message":' + b'{"reply_to_message":' * 300 + b"{}" + b"}" * 300 + b"}"
PRIVATE = {"id": ANN, "type": "private"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b"{" * 5000,
        DEEP,
        b'{"message": []}',
        b'{"message": {"message_id": 1}}',
        json.dumps({"message": {"message_id": 1e400, "chat": PRIVATE}}).encode(),
        b'{"message": {"message_id": ' + b"9" * 5000 + b', "chat": {"id": 1, "type": "private"}}}',
        json.dumps({"message": {"message_id": 2**70, "chat": PRIVATE, "from": user(ANN)}}).encode(),
        json.dumps(
            {"message": {"message_id": 1, "chat": PRIVATE, "from": user(ANN), "text": {"a": 1}}}
        ).encode(),
        b'{"message": {"message_id": 1, "chat": {"id": 1, "type": "private"}, "text": "\\ud800"}}',
        json.dumps(
            {"edited_message": {"message_id": 1, "chat": PRIVATE, "from": user(ANN), "edit_date": 2**60}}
        ).encode(),
        json.dumps({"callback_query": {"id": "1", "from": user(ANN), "message": 7}}).encode(),
        json.dumps({"callback_query": {"id": "x" * 500, "from": user(ANN)}}).encode(),
        json.dumps({"message_reaction": {"chat": PRIVATE}}).encode(),
        json.dumps({"my_chat_member": {"chat": PRIVATE, "from": user(ANN), "date": -1}}).encode(),
        json.dumps({"poll": {"id": "1"}}).encode(),
        b"{}",
    ],
)
def test_what_cannot_be_read_is_left_and_never_comes_again(
    channel: TelegramChannel, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(channel, body) == []
    assert json.loads(channel.acknowledge(Request("", {}, body))[0]) == {"ok": True}
    assert str(ANN) not in caplog.text
    assert "Kari" not in caplog.text


# --- what goes out -----------------------------------------------------------------------------------------


def test_a_message_is_sent_as_it_is(channel: TelegramChannel, api: BotApi) -> None:
    text = "<b>50 % off</b> *today* _only_ https://fjordly.example"
    provider_id = channel.send(TO_ANN, Part(text))
    [(chat, method, given)] = api.accepted
    assert (chat, method, given["text"]) == (ANN, "sendMessage", text)
    assert provider_id == f"{BOT}:{ANN}:{given['message']['message_id']}"
    assert given["link_preview_options"] == {"is_disabled": True}
    assert "parse_mode" not in given


def test_buttons_stand_in_rows(channel: TelegramChannel, api: BotApi) -> None:
    channel.send(TO_ANN, Part("Sure?", (Button("1:b1", "Yes"), Button("1:b2", "No"))))
    channel.send(
        TO_ANN, Part("What now?", (Button("2:b1", "Where is my order?"), Button("2:b2", "A person")))
    )
    shown = [given["reply_markup"]["inline_keyboard"] for _, _, given in api.accepted]
    assert [[button["text"] for button in row] for row in shown[0]] == [["Yes", "No"]]
    assert [[button["text"] for button in row] for row in shown[1]] == [["Where is my order?"], ["A person"]]
    assert shown[1][1][0]["callback_data"] == "2:b2"


def test_the_limits_are_telegrams(channel: TelegramChannel, api: BotApi) -> None:
    """What our rules let through is taken, and one more of anything is not."""
    emoji = "📦" * 2048
    channel.send(TO_ANN, Part(emoji))
    channel.send(TO_ANN, Part("é" * 4096))
    for text in (emoji + "x", "é" * 4097):
        with pytest.raises(RefusedError, match="message is too long"):
            channel.send(TO_ANN, Part(text))
    many = tuple(Button(f"123456:b{n}", "t" * channel.limits.title) for n in range(channel.limits.buttons))
    channel.send(TO_ANN, Part("Choose", many))
    with pytest.raises(RefusedError, match="BUTTON_DATA_INVALID"):
        channel.send(TO_ANN, Part("Choose", (Button("b" * 65, "too much"),)))


@pytest.mark.parametrize("text", ["📦" * 9000, "word 📦📦 " * 1500, "a" * 4095 + "📦", "👩‍👩‍👧 " * 2000])
def test_long_texts_are_cut_to_what_telegram_counts(channel: TelegramChannel, api: BotApi, text: str) -> None:
    pieces = rules.parts(text, {}, 1, channel.limits)
    for piece in pieces:
        channel.send(TO_ANN, piece)
    assert "".join("".join(piece.text for piece in pieces).split()) == "".join(text.split())
    # Not into more than it takes.
    assert len(pieces) <= len(text.encode("utf-16-le")) // 2 // 2048 + 1


def test_a_picture(channel: TelegramChannel, api: BotApi) -> None:
    channel.send(TO_ANN, Part(image="https://fjordly.example/tent.jpg"))
    [(_, method, given)] = api.accepted
    assert (method, given["photo"]) == ("sendPhoto", "https://fjordly.example/tent.jpg")
    api.unfetchable.add("https://fjordly.example/gone.jpg")
    for address in ("https://fjordly.example/gone.jpg", "/demo/tent.jpg"):
        with pytest.raises(RefusedError) as error:
            channel.send(TO_ANN, Part(image=address))
        assert not error.value.gone


@pytest.mark.parametrize("mode", ["gone", "deactivated", "unknown", "migrated"])
def test_who_cannot_be_reached_any_more(channel: TelegramChannel, api: BotApi, mode: str) -> None:
    api.failures.append(mode)
    with pytest.raises(RefusedError) as error:
        channel.send(TO_ANN, Part("hello"))
    assert error.value.gone
    assert str(ANN) not in str(error.value)


def test_what_is_refused_for_itself(channel: TelegramChannel, api: BotApi) -> None:
    api.failures.append("refuse")
    with pytest.raises(RefusedError) as error:
        channel.send(TO_ANN, Part("hello"))
    assert not error.value.gone
    with pytest.raises(RefusedError, match="message text is empty"):
        channel.send(TO_ANN, Part("  "))


def test_what_passes_is_tried_again(channel: TelegramChannel, api: BotApi) -> None:
    """Telegram refuses somebody for minutes now and then; they have not left."""
    api.failures.append("passing")
    with pytest.raises(TryAgainError) as error:
        channel.send(TO_ANN, Part("hello"))
    assert (error.value.after, error.value.channel) == (60, False)


@pytest.mark.parametrize("mode", ["again", "gateway", "gateway403", "gateway404", "gateway302"])
def test_telegram_is_down(channel: TelegramChannel, api: BotApi, mode: str) -> None:
    api.failures.append(mode)
    with pytest.raises(TryAgainError) as error:
        channel.send(TO_ANN, Part("hello"))
    assert error.value.channel


def test_too_fast_for_one_and_for_all(channel: TelegramChannel, api: BotApi) -> None:
    api.chats.update({ANN + 1})
    api.failures.extend(["slow_down", "slow_down", "slow_down"])
    found = []
    for chat in (ANN, ANN, ANN + 1):
        with pytest.raises(TryAgainError) as error:
            channel.send(Target(str(chat), "key", "en"), Part("hello"))
        found.append((error.value.after, error.value.channel))
    assert found == [(1, False), (1, False), (1, True)]


@pytest.mark.parametrize("token", [TOKEN + "x", TOKEN.replace(":", ".")])
def test_a_wrong_token_loses_nothing(api: BotApi, token: str, caplog: pytest.LogCaptureFixture) -> None:
    channel = TelegramChannel(token, SECRET, TelegramApi(token, api.url))
    with pytest.raises(TryAgainError, match="RAPPORT_TELEGRAM_TOKEN") as error:
        channel.send(TO_ANN, Part("hello"))
    assert error.value.channel
    assert "rapport channel check telegram" in caplog.text
    assert token not in caplog.text


def test_nobody_answers(channel: TelegramChannel, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.failures.append("drop")
    with pytest.raises(InDoubtError):
        channel.send(TO_ANN, Part("hello"))
    assert len(api.accepted) == 1
    monkeypatch.setattr("rapport.channels.calls.TIMEOUT", (1.0, 0.2))
    api.hang_seconds = 0.6
    api.failures.append("hang")
    with pytest.raises(InDoubtError):
        channel.send(TO_ANN, Part("hello"))


def test_nothing_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as probe:  # bound, and nobody listens
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        for address in (url, url.replace("http://", "https://")):
            channel = TelegramChannel(TOKEN, SECRET, TelegramApi(TOKEN, address))
            with pytest.raises(TryAgainError, match="cannot be reached") as error:
                channel.send(TO_ANN, Part("hello"))
            assert error.value.channel
            assert TOKEN not in str(error.value)


def test_the_token_is_never_logged(
    channel: TelegramChannel, api: BotApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.ERROR, "urllib3")  # as rapport/kit/logs.py has it, whatever the level
    for mode in ("", "again", "drop", "gone"):
        api.failures.append(mode)
        with pytest.raises(Exception) if mode else pytest.MonkeyPatch.context():
            channel.send(TO_ANN, Part("hello"))
    assert TOKEN not in caplog.text


# --- with the app ------------------------------------------------------------------------------------------


def test_the_spinner_ends_before_the_answer_comes(
    app: RunningApp, provider: Telegram, rasa: FakeRasa
) -> None:
    rasa.behave = lambda _: answer(reply("Sure?", buttons=[{"title": "Yes", "payload": "/affirm"}]))
    ann = provider.person(1)
    provider.say(ann, "hello")
    [asked] = until(lambda: provider.sent(ann), 20)
    held = threading.Event()
    rasa.before = lambda _: held.wait(10) and None
    assert provider.press(ann, asked.buttons[0][0], "Yes") == 200
    assert len(provider.api.answered) == 1
    assert len(provider.sent(ann)) == 1
    held.set()
    until(lambda: len(provider.sent(ann)) == 2, 20)
    assert [turn.get("payload") for turn in rasa.turns] == [None, "/affirm"]


def test_what_can_never_be_read_is_acknowledged(
    app: RunningApp, provider: Telegram, sqlite_engine: Engine
) -> None:
    """Or Telegram would bring it again for a day, and nothing else of this person before it."""
    for update in ({"message": []}, {"message": {"message_id": 1}}, {"poll": {}}):
        assert provider.api.deliver(update) == 200
    for body in (b"", b"[" * 5000, b"\xff\xfe", b"null"):
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        assert app.client.post("/channels/telegram", content=body, headers=headers).status_code == 200
    with read_scope(sqlite_engine) as session:
        assert session.scalars(select(Message)).all() == []


def test_a_block_that_is_told_late_keeps_no_answer_back(
    app: RunningApp, provider: Telegram, sqlite_engine: Engine
) -> None:
    ann = provider.person(1)
    left = provider.api.membership(int(ann), "kicked")
    left["my_chat_member"]["date"] -= 60
    provider.say(ann, "here I am again")
    assert provider.api.deliver(left) == 200
    until(lambda: provider.sent(ann), 20)
    with read_scope(sqlite_engine) as session:
        assert session.scalars(select(ContactPoint.unreachable_since)).all() == [None]


def test_the_language_of_the_app_is_spoken(
    app: RunningApp, provider: Telegram, sqlite_engine: Engine
) -> None:
    message = provider.api.message(ANN, text="/start")
    message["from"] = user(ANN, "nb")
    assert provider.api.deliver({"message": message}) == 200
    until(lambda: provider.sent(str(ANN)), 20)
    assert provider.sent(str(ANN))[0].text == f"echo: {GREETING}"
    with read_scope(sqlite_engine) as session:
        assert session.scalars(select(Conversation.language)).all() == ["nb"]


def test_a_link_from_the_website_is_followed(
    app: RunningApp, provider: Telegram, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    with session_scope(sqlite_engine) as session:
        customer = Customer(language="en", stage="customer")
        session.add(customer)
        session.flush()
        number, token = customer.id, links.create(session, "telegram", customer.id)
    ann = provider.person(1)
    provider.say(ann, f"/start {token}")
    until(lambda: provider.sent(ann), 20)
    assert provider.sent(ann)[0].text in {notices.reply("linked", "en", turn).text for turn in (0, 1)}
    assert rasa.turns == []
    with read_scope(sqlite_engine) as session:
        point = session.scalars(select(ContactPoint)).one()
        assert point.customer_id == number
        assert point.linked_at is not None
        # The token opens nothing any more, and is not kept.
        assert session.scalars(select(Message.text).where(Message.author == "customer")).all() == ["/start"]


def test_an_acknowledgement_is_quick(app: RunningApp, provider: Telegram) -> None:
    ann = provider.person(1)
    provider.say(ann, "hello")  # what is done once at the first
    took = []
    for number in range(20):
        began = time.perf_counter()
        provider.say(ann, f"number {number}")
        took.append(time.perf_counter() - began)
    assert sorted(took)[10] < 0.1


def test_deliveries_hold_telegrams_own_id(app: RunningApp, provider: Telegram, sqlite_engine: Engine) -> None:
    ann = provider.person(1)
    provider.say(ann, "hello")
    [sent] = until(lambda: provider.sent(ann), 20)

    def noted() -> str | None:
        with read_scope(sqlite_engine) as session:
            return session.scalars(select(Delivery.provider_id)).one()

    assert until(noted) == f"{BOT}:{ann}:{sent.details['message']['message_id']}"


# --- the stand-in is held to what python-telegram-bot knows of Telegram ------------------------------------


def test_python_telegram_bot_reads_the_same(channel: TelegramChannel, api: BotApi) -> None:
    channel.send(TO_ANN, Part("Sure?", (Button("1:b1", "Yes"),)))
    updates: list[dict[str, Any]] = [{"message": api.message(ANN, **content)} for content in CONTENT.values()]
    updates += [
        {"message": api.message(ANN, text="/start abc")},
        {"edited_message": api.message(ANN, text="mended", edit_date=int(time.time()))},
        api.press(ANN, "1:b1", "Yes"),
        api.press(ANN, "9:b9", "Long ago"),
        api.membership(ANN, "kicked"),
        api.membership(ANN, "member"),
        api.reaction(ANN, 5, "👍"),
    ]
    for update in updates:
        theirs = library.Update.de_json({"update_id": 1, **update}, None)
        [ours] = read(channel, update)
        kind = next(iter(update))
        assert kind in ALLOWED_UPDATES
        assert theirs.effective_user is not None
        assert theirs.effective_chat is not None
        assert not isinstance(ours, Report)
        assert ours.sender.address == str(theirs.effective_chat.id)
        # Whatever the stand-in tells is known to it.
        assert theirs.api_kwargs == {}
        assert not getattr(getattr(theirs, kind), "api_kwargs", {})
        if theirs.callback_query is not None and isinstance(ours, Said):
            assert theirs.callback_query.data == ours.button


def test_python_telegram_bot_is_served_as_by_telegram(api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # or it warns of what is to come

    async def talk() -> None:
        bot = library.Bot(TOKEN, base_url=f"{api.url}/bot")
        async with bot:
            assert bot.username == "fjordly_bot"
            markup = library.InlineKeyboardMarkup([[library.InlineKeyboardButton("Yes", callback_data="1")]])
            sent = await bot.send_message(ANN, "hello", reply_markup=markup)
            assert sent.text == "hello"
            assert (await bot.send_photo(ANN, "https://fjordly.example/a.jpg")).photo
            with pytest.raises(library.error.BadRequest, match="Message is too long"):
                await bot.send_message(ANN, "x" * 4097)
            with pytest.raises(library.error.BadRequest, match="Chat not found"):
                await bot.send_message(1, "hello")
            for mode, kind in (
                ("gone", library.error.Forbidden),
                ("slow_down", library.error.RetryAfter),
                ("migrated", library.error.ChatMigrated),
                ("revoked", library.error.InvalidToken),
                ("gateway", library.error.NetworkError),
            ):
                api.failures.append(mode)
                with pytest.raises(kind):
                    await bot.send_message(ANN, "hello")
            await bot.set_webhook("https://x.example/channels/telegram", allowed_updates=["message"])
            info = await bot.get_webhook_info()
            assert (info.url, info.allowed_updates) == ("https://x.example/channels/telegram", ("message",))
            await bot.delete_webhook()
            assert (await bot.get_webhook_info()).url == ""
            press = api.press(ANN, "1", "Yes")["callback_query"]["id"]
            assert await bot.answer_callback_query(press)
            with pytest.raises(library.error.BadRequest, match="Query is too old"):
                await bot.answer_callback_query(press)

    asyncio.run(talk())


def test_the_stand_in_knows_nobody_who_never_wrote(api: BotApi) -> None:
    with pytest.raises(TelegramError, match="chat not found") as error:
        TelegramApi(TOKEN, api.url).call("sendMessage", chat_id=1, text="hello")
    assert error.value.status == 400
