"""Mastodon, by its API: who mentions the shop's account, hashtags and words that are searched for, replies.

https://docs.joinmastodon.org/methods/ has notifications, timelines, search and statuses.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

import requests
from mastodon import Mastodon
from mastodon.errors import (
    MastodonAPIError,
    MastodonError,
    MastodonNetworkError,
    MastodonNotFoundError,
    MastodonRatelimitError,
    MastodonServerError,
    MastodonUnauthorizedError,
)
from requests.exceptions import ConnectionError as NoConnectionError

from rapport.channels import calls
from rapport.channels.base import InDoubtError, RefusedError, TryAgainError
from rapport.channels.mail_text import html_to_text, plain
from rapport.channels.rules import patience
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings
from rapport.mentions.base import Event, Fetched, PolledSource, Removed, Said, Target

log = logging.getLogger(__name__)

AGENT = "Rapport"
NOTIFICATIONS = "@"  # its key in the cursor; no hashtag or word looks like it
PAGE, MOST_PAGES = 40, 10
# So many calls of the server's allowance are left for other programs of the shop's account.
SPARED = 20


class MastodonSource(PolledSource):
    """The shop's account on one server. `search`: hashtags (with #) and words."""

    name: ClassVar[str] = "mastodon"
    # A status has 500 characters unless the server allows more; the author's handle stands in it too.
    longest: ClassVar[int] = 400

    def __init__(self, url: str, token: str, search: Sequence[str] = ()) -> None:
        session = requests.Session()
        session.max_redirects = 0  # a server that moved is to be set anew, not followed with our token
        self._api = Mastodon(
            access_token=token,
            api_base_url=url,
            ratelimit_method="throw",
            request_timeout=calls.TIMEOUT[1],
            session=session,
            user_agent=AGENT,
        )
        self._search = tuple(search)
        self._own_id = self._account = ""

    def fetch(self, cursor: Mapping[str, str]) -> Fetched:
        events: list[Event] = []
        reached = dict(cursor)
        ours = self._me()
        for key, page in self._pages():
            for _ in range(MOST_PAGES):
                since = reached.get(key)
                found = self._call(partial(page, since))
                events += [said for item in reversed(found) if (said := _said(key, item, ours)) is not None]
                if found:
                    reached[key] = str(found[0]["id"])
                # The first time only the newest page: what was said long ago is not news.
                if self._is_tight():
                    return Fetched(events, reached, self._until_reset())
                if since is None or len(found) < PAGE:
                    break
        return Fetched(events, reached)

    def look_again(self, source_ids: Sequence[str], now: datetime) -> Sequence[Event]:
        events: list[Event] = []
        for source_id in source_ids:
            if self._is_tight():
                break
            try:
                status = self._call(partial(self._api.status, source_id))
            except RefusedError as error:
                if error.gone:
                    events.append(Removed(source_id, now))
            else:
                said = _said("", status, ours="")
                events += [said] if said is not None else []
        return events

    def answer(self, to: Target, text: str, private: bool) -> str:
        # Who is named is told, and nobody else: @ann is not named by @anna, or by a mail address.
        named = re.search(rf"(?<![\w@./]){re.escape(to.author)}(?![\w@]|[.-]\w)", text)
        words = text if named else f"{to.author} {text}"
        posted = self._call(
            lambda: self._api.status_post(
                words,
                in_reply_to_id=to.source_id,
                visibility="direct" if private else to.visibility,
                language=to.language,
                idempotency_key=to.key,
            )
        )
        return str(posted["id"])

    def check(self) -> str:
        self._own_id = ""
        self._me()
        return self._account

    def _me(self) -> str:
        if not self._own_id:
            mine = self._call(self._api.account_verify_credentials)
            self._own_id, self._account = str(mine["id"]), f"@{mine['acct']}"
        return self._own_id

    def _pages(self) -> Iterator[tuple[str, Callable[[str | None], Any]]]:
        """What is asked for, each with its key in the cursor and a call for the page after an id.

        `min_id`, not `since_id`: it gives the next page after that id, so that nothing is left out when more
        than a page has come. Both leave out what we know.
        """

        def notified(since: str | None) -> Any:
            return self._api.notifications(types=["mention"], min_id=since, limit=PAGE)

        yield NOTIFICATIONS, notified
        for wanted in self._search:
            if wanted.startswith("#"):
                tag = wanted[1:]

                def tagged(since: str | None, tag: str = tag) -> Any:
                    return self._api.timeline_hashtag(tag, min_id=since, limit=PAGE)

                yield wanted, tagged
            else:

                def found(since: str | None, word: str = wanted) -> Any:
                    answer = self._api.search_v2(
                        word,
                        resolve=False,
                        result_type="statuses",
                        min_id=since,
                        exclude_unreviewed=False,  # of hashtags; else the library asks for the version first
                        limit=PAGE,
                    )
                    return answer["statuses"]

                yield wanted, found

    def _call(self, call: Callable[[], Any]) -> Any:
        """Raises RefusedError, TryAgainError or InDoubtError; the library's words may quote what was sent."""
        try:
            return call()
        except MastodonRatelimitError:
            raise TryAgainError("too many requests", self._until_reset(), channel=True) from None
        except MastodonUnauthorizedError:
            raise TryAgainError("the access token is not taken", channel=True) from None
        except MastodonNotFoundError:
            raise RefusedError("it is not there any more", gone=True) from None
        except MastodonServerError:
            raise TryAgainError("the server has trouble", channel=True) from None
        except MastodonAPIError as error:
            raise _refusal(error) from None
        except MastodonNetworkError as error:
            cause = error.__context__
            raise _broken(cause) from None
        except MastodonError as error:
            raise InDoubtError(type(error).__name__) from None

    def _is_tight(self) -> bool:
        return self._api.ratelimit_remaining <= SPARED and self._until_reset() > 0

    def _until_reset(self) -> float:
        reset = self._api.ratelimit_reset
        return patience(reset - time.time()) if reset is not None else 60.0


def make(settings: Settings) -> MastodonSource | None:
    """The source, if the settings ask for it. Raises ConfigurationError."""
    token = settings.mastodon_token.get_secret_value() if settings.mastodon_token else ""
    if not token and not settings.mastodon_url:
        return None
    local = settings.mastodon_url.startswith(("http://127.0.0.1:", "http://localhost:"))
    if not token or not (settings.mastodon_url.startswith("https://") or local):
        raise ConfigurationError(
            "Mentions on Mastodon need RAPPORT_MASTODON_URL (https://…) and RAPPORT_MASTODON_TOKEN"
            " (docs/mentions.md)."
        )
    wanted = [word.strip() for word in settings.mastodon_search.split(",")]
    return MastodonSource(
        settings.mastodon_url.rstrip("/"), token, [word for word in wanted if word.strip("#")]
    )


def _said(key: str, item: Any, ours: str) -> Said | None:
    """A notification or a status that was found; None for what is nobody's word about us, or unreadable."""
    try:
        status = item.get("status") if key == NOTIFICATIONS else item
        if not status or status.get("reblog") or str(status["account"]["id"]) == ours:
            return None
        return _of_status(status, addressed=key == NOTIFICATIONS)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Other programs speak Mastodon's API too, more or less: one odd status must not stop the others.
        log.warning("A status that cannot be read was left out (%s).", type(error).__name__)
        return None


def _of_status(status: Any, addressed: bool) -> Said:
    words = html_to_text(str(status["content"]))
    if warning := str(status.get("spoiler_text") or "").strip():
        words = f"{warning}\n\n{words}"
    account = status["account"]
    return Said(
        source_id=str(status["id"]),
        author=f"@{account['acct']}",
        author_id=str(account["id"]),
        text=plain(words),
        at=_utc(status["created_at"]),
        url=status.get("url") or status.get("uri"),
        language=status.get("language"),
        visibility=str(status["visibility"]),
        addressed=addressed,
        changed_at=_utc(status["edited_at"]) if status.get("edited_at") else None,
    )


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _refusal(error: MastodonAPIError) -> Exception:
    """What another status than those with an error of their own means."""
    status = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else None
    if status == 410:
        return RefusedError("it is not there any more", gone=True)
    if status in {401, 403}:
        return TryAgainError("the access token does not allow this", channel=True)
    if status is None:  # an answer that is not what it should be: who knows what was done
        return InDoubtError("an answer that cannot be read")
    return RefusedError(f"HTTP {status}")


def _broken(cause: BaseException | None) -> TryAgainError | InDoubtError:
    if isinstance(cause, requests.TooManyRedirects):
        return TryAgainError("the server has moved", channel=True)
    if isinstance(cause, NoConnectionError | requests.RequestException):
        return calls.failure(cause)
    return InDoubtError("no answer")
