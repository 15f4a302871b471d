"""`rapport chat`: the web chat in a terminal, over the same API as the widget."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import requests
import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from rapport.kit.errors import RapportError
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import get_settings

TIMEOUT_SECONDS = 15
console = Console(highlight=False)


def command(
    url: Annotated[str | None, typer.Option(help="Address of a running Rapport.")] = None,
    language: Annotated[str, typer.Option(help=f"Language to start in: {', '.join(LANGUAGES)}.")] = "en",
) -> None:
    """Chat with the bot here. Needs a running `rapport up`; an empty line or Ctrl-D ends it."""
    if language not in LANGUAGES:
        raise RapportError(f"Rapport does not speak {language!r}; choose one of {', '.join(LANGUAGES)}.")
    settings = get_settings()
    talk = Talk(url or f"http://127.0.0.1:{settings.port}", language)
    console.print("[dim]Type a message, or a number to press a button. An empty line ends the chat.[/dim]")
    while True:
        try:
            line = console.input("[bold cyan]you[/bold cyan]  ").strip()
        except (EOFError, KeyboardInterrupt):
            break
        if not line:
            break
        for reply in talk.say(line):
            show(reply, talk.buttons)


class Talk:
    """One conversation over the web chat API."""

    def __init__(self, url: str, language: str) -> None:
        self._url = url.rstrip("/")
        self._http = requests.Session()
        created = self._post("/api/chat/sessions", {"language": language})
        self._http.headers["Authorization"] = f"Bearer {created['token']}"
        self.buttons: list[tuple[str, str]] = []

    def say(self, line: str) -> list[dict[str, Any]]:
        """Send a text, or press the button of that number; the replies, maybe none yet."""
        said: dict[str, Any] = {"client_id": str(uuid4())}
        if line.isdecimal() and 1 <= int(line) <= len(self.buttons):
            said["button"] = self.buttons[int(line) - 1][0]
        else:
            said["text"] = line
        answer = self._post("/api/chat/messages?wait=1", said)
        replies: list[dict[str, Any]] = answer.get("replies", [])
        if not replies:
            console.print("[dim]No answer yet; it will come with the next message.[/dim]")
        self.buttons = [
            (f"{reply['id']}:{button['id']}", button["title"])
            for reply in replies
            for button in reply.get("buttons") or []
        ]
        return replies

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._http.post(self._url + path, json=body, timeout=TIMEOUT_SECONDS)
        except requests.ConnectionError:
            raise RapportError(f"Nothing answers at {self._url}. Start it with: uv run rapport up") from None
        except requests.RequestException as error:
            raise RapportError(f"The app did not answer: {error}") from error
        if response.status_code >= 400:
            problem = response.json()
            raise RapportError(f"{problem.get('title', response.status_code)}: {problem.get('detail', '')}")
        result: dict[str, Any] = response.json()
        return result


def show(reply: dict[str, Any], buttons: list[tuple[str, str]]) -> None:
    """Print one reply with its buttons and card."""
    if reply.get("text"):
        console.print(f"[bold magenta]bot[/bold magenta]  {escape(reply['text'])}")
    if card := reply.get("card"):
        console.print(Panel(_card_text(card), title=card["type"], expand=False))
    own = {f"{reply['id']}:{button['id']}" for button in reply.get("buttons") or []}
    for number, (button, title) in enumerate(buttons, start=1):
        if button in own:
            console.print(f"     [cyan]{number}[/cyan] {escape(title)}")


def _card_text(card: dict[str, Any]) -> str:
    if card["type"] == "orders":
        rows = (
            f"{row['number']}  {row['placed']}  {row['total']}  {row['status']}" for row in card["orders"]
        )
        return escape("\n".join(rows))
    shown = (f"{name}: {value}" for name, value in card.items() if name not in {"type", "image"} and value)
    return escape("\n".join(shown))
