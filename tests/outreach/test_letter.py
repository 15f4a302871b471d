"""What nobody asked for as it is read: in text and HTML, with the ways out, in four languages."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rapport.kit import clock
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import Settings
from rapport.outreach import letter, rules
from rapport.outreach.blocks import Block, Piece, blocks
from rapport.outreach.models import OutboxMessage
from rapport.preferences import links

TEXT = """Hei, Ann!

Takk for sist – tre råd:

- Luft den.
- Vask på <30>.

Koden din:

    WOOL-1234

Les mer: https://fjordly.example/care?a=1&b=2
"""


@pytest.fixture
def shop(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "public_url": "https://chat.fjordly.example",
            "smtp_host": "mail.fjordly.example",
            "imap_host": "mail.fjordly.example",
        }
    )


def a_row(**values: Any) -> OutboxMessage:
    given = {
        "id": 1,
        "purpose": "tips",
        "customer_id": 7,
        "recipient": "ann@example.com",
        "subject": "Ullgenseren",
        "text": TEXT,
        "language": "nb",
        "message_id": f"<{'ab' * 16}@fjordly.example>",
        "created_at": clock.now(),
    }
    given |= values
    return OutboxMessage(asked=rules.is_asked(given["purpose"]), **given)


def received(settings: Settings, **values: Any) -> EmailMessage:
    """The mail as it is read at the other end."""
    raw = letter.write(settings, a_row(**values)).as_bytes()
    assert max(map(len, raw.split(b"\r\n"))) < 200 and raw.isascii()
    return message_from_bytes(raw, policy=policy.default)


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", ["newsletter", "tips", "reminders", "alerts", "other"])
def test_everybody_reads_why_it_comes_and_how_to_leave(shop: Settings, language: str, purpose: str) -> None:
    mail = received(shop, language=language, purpose=purpose)
    words = letter.footer_words()[language]
    assert mail.get_content_type() == "multipart/alternative"
    assert [inner.get_content_type() for inner in mail.iter_parts()] == ["text/plain", "text/html"]
    for kind in ("plain", "html"):
        text = part(mail, kind)
        assert words["why"][purpose].format(shop="Fjordly") in text
        assert words["preferences"] in text and words["unsubscribe"] in text
        assert "hello@fjordly.example" in text and "{" not in text.partition("</style>")[2]
    urls = re.findall(r": (https://\S+)", part(mail, "plain").partition("--\n")[2])
    said = [links.read(shop, url.rpartition("/")[2]) for url in urls]
    assert [(one.kind, one.subject_id, one.language) for one in said if one] == [
        ("preferences", 7, language),
        ("unsubscribe", 7, language),
    ]
    assert max(map(len, urls)) < 75
    assert Tags(part(mail, "html")).named("html") == [{"lang": language}]
    assert mail["Content-Language"] == language


def test_where_to_choose_may_stand_in_the_words_as_well(shop: Settings) -> None:
    """What waits in the outbox does not hold it."""
    mail = received(shop, text=f"You choose here: {links.no_ones_url(shop)}\n")
    below = re.search(
        r"https://chat\.fjordly\.example/p/[a-z2-7]{40}", part(mail, "plain").partition("--\n")[2]
    )
    assert below is not None and f"You choose here: {below[0]}" in part(mail, "plain")
    assert f'href="{below[0]}"' in part(mail, "html").partition("footer")[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_below_a_message_in_an_app_stands_where_to_choose(shop: Settings, language: str) -> None:
    line = letter.last_line(shop, 7, "Ullgenseren er her.", language)
    words, url = line.split(": ", 1)
    said = links.read(shop, url.removeprefix("https://chat.fjordly.example/p/"))
    assert (words, "\n" in line) == (letter.footer_words()[language]["preferences"], False)
    assert said is not None and (said.kind, said.subject_id, said.language) == ("preferences", 7, language)
    assert letter.last_line(shop, 7, f"Velg her: {url}", language) == ""


def test_no_reason_is_missing_and_none_is_said_twice() -> None:
    words = letter.footer_words()
    assert tuple(words) == LANGUAGES
    assert len({frozenset(words[language]["why"]) for language in LANGUAGES}) == 1
    every = [text for language in LANGUAGES for text in words[language]["why"].values()]
    assert len(set(every)) == 4 * 5


def test_nobody_leaves_by_a_preview(shop: Settings) -> None:
    shown = letter.preview(shop, "tips", "Hi", TEXT, "en")
    assert (
        shown.text.startswith(TEXT.rstrip())
        and "Unsubscribe: https://chat.fjordly.example/u/…\n" in shown.text
    )
    assert "WOOL-1234" in shown.html and not re.search(r"/[up]/[a-z2-7]", shown.html)


def test_mail_programs_can_unsubscribe(shop: Settings) -> None:
    mail = received(shop)
    web, by_mail = re.findall(r"<([^>]+)>", mail["List-Unsubscribe"])
    link = links.read(shop, web.rpartition("/")[2])
    assert link is not None and (link.kind, link.subject_id) == ("unsubscribe", 7)
    assert by_mail == f"mailto:hello@fjordly.example?subject=unsubscribe%20{'ab' * 16}"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-ID"] == "<tips.fjordly.example>"
    assert (mail["Precedence"], mail["Auto-Submitted"]) == ("bulk", "auto-generated")
    # Where nobody reads the mailbox, a mail would ask in vain.
    assert "mailto" not in received(shop.model_copy(update={"imap_host": None}))["List-Unsubscribe"]


def test_what_was_asked_for_is_no_list(shop: Settings) -> None:
    mail = received(shop, purpose="verification_code", text="123456\n")
    assert (mail.get_content_type(), part(mail, "plain")) == ("text/plain", "123456\n")
    assert not {"List-Unsubscribe", "List-ID", "Precedence"} & set(mail.keys())
    assert mail["Auto-Submitted"] == "auto-generated"


def test_html_says_what_the_text_says(shop: Settings) -> None:
    mail = received(shop)
    assert part(mail, "plain").startswith(TEXT)
    html = part(mail, "html")
    for words in ("Takk for sist – tre råd:", "<li>Luft den.</li>", "Vask på &lt;30&gt;.", ">WOOL-1234</p>"):
        assert words in html
    tags = Tags(html)
    assert {"href": "https://fjordly.example/care?a=1&b=2"}.items() <= tags.named("a")[0].items()
    assert ">Les mer</a>" in html
    # On a phone, and in the dark.
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in tags.named("meta")
    assert {"name": "color-scheme", "content": "light dark"} in tags.named("meta")
    assert "prefers-color-scheme: dark" in html


def test_nothing_tells_who_opens_it(shop: Settings) -> None:
    html = part(received(shop), "html")
    tags = Tags(html)
    assert not {"img", "link", "script", "iframe", "object", "video"} & {tag for tag, _ in tags.tags}
    assert not re.search(r"url\(|@import|\bsrc=|background=", html)
    assert len(html) < 8000


def test_markup_in_words_stays_words(shop: Settings) -> None:
    text = '<img src=x onerror=alert(1)> javascript:alert(1)\n\nSee: https://x.example/"onclick="y\n'
    html = part(received(shop, text=text, subject="</title><script>1</script>"), "html")
    tags = Tags(html)
    assert not {"img", "script"} & {tag for tag, _ in tags.tags}
    assert all(set(a) <= {"href", "target", "rel", "class", "style"} for a in tags.named("a"))
    assert all(str(a["href"]).startswith(("https://", "mailto:")) for a in tags.named("a"))


@pytest.mark.parametrize(
    "recipient", ["a@b.no\r\nBcc: eve@example.com", "ann", "a@b.no, c@d.no", "@", "ann@@example.com", ""]
)
def test_malformed_addresses_are_no_mail(shop: Settings, recipient: str) -> None:
    with pytest.raises(ValueError):
        letter.write(shop, a_row(recipient=recipient))


def test_headers_stay_ours(shop: Settings) -> None:
    mail = received(shop, subject="Hi\r\nBcc: eve@example.com\r\n\r\nbody")
    assert mail["Bcc"] is None and mail["Subject"] == "Hi Bcc: eve@example.com body"
    with pytest.raises(ValueError):
        letter.write(shop, a_row(purpose="tips>\r\nBcc: eve@example.com"))


def test_long_addresses_of_ours_stay_whole(shop: Settings) -> None:
    """Python breaks, or encodes, headers that are too long: programs could not read the links any more."""
    long = shop.model_copy(update={"public_url": "https://" + "chat." * 12 + "fjordly.example/rapport"})
    raw = letter.write(long, a_row()).as_bytes()
    [line] = [line for line in raw.split(b"\r\n") if line.startswith(b"List-Unsubscribe: ")]
    assert re.fullmatch(rb"List-Unsubscribe: <https://[a-z0-9./-]+>,", line)


# --- the text's parts --------------------------------------------------------------------------------------


def test_a_text_has_paragraphs_lists_and_what_stands_apart() -> None:
    said = "One\ntwo https://x.example/a(b).\n\n- a\n- b\n \n    CODE\n\n\n- no\nlist\n"
    assert blocks(said) == (
        Block(
            "paragraph",
            (
                (Piece("One"),),
                (Piece("two "), Piece("https://x.example/a(b", "https://x.example/a(b"), Piece(").")),
            ),
        ),
        Block("list", ((Piece("a"),), (Piece("b"),))),
        Block("box", ((Piece("CODE"),),)),
        Block("paragraph", ((Piece("- no"),), (Piece("list"),))),
    )


@given(st.text(alphabet=st.sampled_from("ab <>&\"'-:\n.https/"), max_size=120))
@hypothesis_settings(max_examples=200, deadline=None)
def test_no_word_is_lost(text: str) -> None:
    shown = "".join(
        piece.text if piece.url in (None, piece.text) else f"{piece.text}:{piece.url}"
        for block in blocks(text)
        for line in block.lines
        for piece in line
    )
    dashes = re.compile(r"[\s-]")
    assert dashes.sub("", shown) == dashes.sub("", text)
