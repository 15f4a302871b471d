"""`rapport channel add messenger`, and what `rapport channel check` looks at there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from rapport.channels.messenger import GET_STARTED
from rapport.channels.meta import records, text
from rapport.cli import channel_meta, channel_setup
from rapport.cli.channel_meta import Kind
from rapport.cli.channel_setup import Finding, done
from rapport.cli.meta_account import Account, App
from rapport.kit.settings import Settings

KIND = Kind(
    "messenger",
    "page",
    (
        "messages",
        "messaging_postbacks",
        "messaging_referrals",
        "message_deliveries",
        "message_reactions",
        "message_edits",
    ),
    ("pages_messaging", "pages_manage_metadata"),
)

WHERE_FROM = """
An app at Meta with Messenger in it is needed, and the shop's Facebook page:
  1. https://developers.facebook.com/apps → Create app → engage with customers on Messenger
  2. Messenger → API settings → Generate access tokens: connect the page, then Generate (pages_messaging and
     pages_manage_metadata). Whoever has it can write as the shop: keep it safe.
  3. before the app's review at Meta only people with a role in the app are answered"""


def add(
    token: Annotated[str | None, channel_meta.TOKEN_OPTION] = None,
    app_secret: Annotated[str | None, channel_meta.SECRET_OPTION] = None,
    url: Annotated[str | None, channel_meta.URL_OPTION] = None,
    yes: Annotated[bool, channel_meta.YES_OPTION] = False,
) -> None:
    """Switch Messenger on: check the page's token, write the settings, have messages brought here.

    Run again, it mends what is wrong and leaves the rest.
    """
    settings = channel_setup.settings()
    kept = settings.messenger_token
    meta = channel_meta.proven(settings, KIND, kept, token, app_secret, WHERE_FROM, yes)
    page = _page(meta.account)
    done(f"The page is {page['name']}")
    address = channel_setup.public_url(settings, url, yes)
    values = channel_meta.shared(settings, meta.secret, address) | {
        "RAPPORT_MESSENGER_TOKEN": meta.token,
        "RAPPORT_MESSENGER_PAGE": page["id"],
    }
    changed = channel_setup.save(values)
    _subscribe_page(meta.account, meta.app, page["id"])
    verify_token = values["RAPPORT_META_VERIFY_TOKEN"]
    ready = channel_meta.webhook(settings, meta.account, meta.app, KIND, address, verify_token, bool(changed))
    channel_meta.say_next(f"write to the page: https://m.me/{page['id']}", KIND, ready)


def check(settings: Settings) -> Iterator[Finding]:
    """What Meta and the app say; in the order in which things must work."""

    def more(account: Account, app: App, _about: dict[str, Any]) -> Iterator[Finding]:
        page = _page(account)
        if page["id"] != settings.messenger_page:
            yield Finding("Page", "wrong", f"the token is that of {page['name']} ({page['id']})", KIND.how)
            return
        missing = [field for field in KIND.fields if field not in _fields_of_page(account, app, page["id"])]
        if missing:
            state = "wrong" if "messages" in missing else "warning"
            yield Finding("Page", state, f"{page['name']} does not bring {', '.join(missing)}", KIND.how)
        else:
            yield Finding("Page", "ok", page["name"])
        if not _has_button(account, page["id"]):
            yield Finding("Start", "warning", "no Get Started button: links reach nobody new", KIND.how)

    yield from channel_meta.findings(settings, KIND, settings.messenger_token, more)


def _page(account: Account) -> dict[str, str]:
    """The page whose token it is; a person's own token has no category."""
    found = account.get(
        "me",
        "This is no page's token. Generate one for the page, not for yourself.",
        fields="id,name,category",
    )
    return {"id": text(found, "id"), "name": text(found, "name")}


def _fields_of_page(account: Account, app: App, page_id: str) -> set[str]:
    found = account.get(f"{page_id}/subscribed_apps", "Meta does not show the page's apps.")
    mine = next((one for one in records(found, "data") if text(one, "id") == app.id), {})
    fields = mine.get("subscribed_fields")
    return {str(field) for field in fields} if isinstance(fields, list) else set()


def _has_button(account: Account, page_id: str) -> bool:
    path = f"{page_id}/messenger_profile"
    found = account.get(path, "Meta does not show the page's start button.", fields="get_started")
    return any(text(one.get("get_started"), "payload") == GET_STARTED for one in records(found, "data"))


def _subscribe_page(account: Account, app: App, page_id: str) -> None:
    there = _fields_of_page(account, app, page_id)
    if not set(KIND.fields) <= there:
        # The new list takes the old one's place: what is there for mentions (feed) stays.
        content = {"subscribed_fields": ",".join([*KIND.fields, *sorted(there - set(KIND.fields))])}
        account.post(f"{page_id}/subscribed_apps", content, "The page does not take the app.")
        done("The page tells the app what happens there")
    if not _has_button(account, page_id):
        button = {"get_started": {"payload": GET_STARTED}}
        account.post(f"{page_id}/messenger_profile", button, "The page takes no start button.")
        done("Who is new has a button to start with")
