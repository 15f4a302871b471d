"""The app is killed (-9) while mails come in and answers go out: none is lost, none is decided twice.

It takes half a minute or more where a kill leaves an answer in doubt: that waits until its lease has run out.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine, func, select

from rapport.conversations.models import Message
from rapport.kit.database import read_scope
from rapport.kit.settings import ROOT
from tests.channels.fakes.mailbox import MailProvider
from tests.fake_rasa import FakeRasa
from tests.running import until

PEOPLE, EACH, KILLS = 4, 6, 3


def start(provider: MailProvider, rasa: FakeRasa, folder: Path) -> subprocess.Popen[bytes]:
    settings = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in provider.settings().items()
    }
    settings |= {
        "database_url": f"sqlite:///{folder / 'rapport.db'}",
        "var_dir": str(folder),
        "rasa_port": str(rasa.port),
        "rate_limits": "false",
        "log_level": "WARNING",
    }
    environment = os.environ | {f"RAPPORT_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "rapport.app", "--port", "0"]
    return subprocess.Popen(command, env=environment, cwd=ROOT)


def test_no_mail_is_lost_and_none_is_answered_twice(
    sqlite_engine: Engine, rasa: FakeRasa, tmp_path: Path
) -> None:
    chance, provider = random.Random(5), MailProvider()
    people = [provider.person(number) for number in range(PEOPLE)]
    app = start(provider, rasa, tmp_path)
    try:
        for number in range(EACH):
            for person in people:
                provider.say(person, f"number {number}", f"{number}.{person}")
                if chance.random() < 0.3:  # some come twice
                    provider.say(person, f"number {number}", f"{number}.{person}")
            if number % (EACH // KILLS) == 0:
                heard = len(provider.post.taken)
                until(lambda: len(provider.post.taken) > heard, 60)  # noqa: B023
                time.sleep(chance.random() * 0.3)
                app.kill()
                app.wait()
                app = start(provider, rasa, tmp_path)
        wanted = PEOPLE * EACH
        until(lambda: len({(m["To"], m.get_content()) for m in provider.post.taken}) == wanted, 90)
        until(lambda: provider.mailbox.unseen() == 0, 30)
        time.sleep(1)
        with read_scope(sqlite_engine) as session:
            asked = session.scalar(select(func.count()).where(Message.author == "customer"))
            decided = session.scalars(select(Message.reply_to).where(Message.author != "customer")).all()
        assert asked == len(decided) == len(set(decided)) == wanted
        repeats = len(provider.post.taken) - wanted
        assert repeats <= KILLS
        # Who gets one twice sees that it is one: its id is the same.
        assert len({mail["Message-ID"] for mail in provider.post.taken}) == wanted
        for person in people:
            texts = list(dict.fromkeys(sent.text for sent in provider.sent(person)))
            assert texts == [f"echo: number {number}" for number in range(EACH)]
    finally:
        app.kill()
        app.wait()
        provider.close()
