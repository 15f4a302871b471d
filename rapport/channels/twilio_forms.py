"""What Twilio tells: a form for each message, and for what became of one of ours."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

from rapport.channels import rules
from rapport.channels.base import Event, Left, Report, Request, Said, Sender, Stopped, Unreadable
from rapport.kit.errors import InvalidInputError

# Twilio's codes for somebody whom nothing can reach here: no such number, opted out, blocked.
GONE = frozenset({21211, 21214, 21610, 21614, 30005, 30006, 63014, 63024})
# Meta held back advertising to this person; it may be tried again much later.
CAPPED = 63049

# Unknown types are files. A sticker is a WebP image, which no phone sends as a photo.
MEDIA = {"image/webp": "sticker", "text/vcard": "contact", "text/x-vcard": "contact"}
MEDIA_KINDS = {"image": "image", "audio": "voice", "video": "video"}


class Form(dict[str, list[str]]):
    """A form's fields as the validator wants them: a field may come twice."""

    def getlist(self, name: str) -> list[str]:
        return self[name]

    def first(self, name: str) -> str:
        return self.get(name, [""])[0]


def read(request: Request) -> Form:
    """Raises InvalidInputError."""
    form = Form()
    try:
        fields = parse_qsl(
            request.body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=200
        )
    except ValueError:  # also what is no UTF-8
        raise InvalidInputError("The body is no form.") from None
    for name, value in fields:
        form.setdefault(name, []).append(value)
    return form


def message(form: Form, sender: Sender, message_id: str) -> Sequence[Event]:
    """What somebody sent."""
    text, opting = form.first("Body"), form.first("OptOutType")
    # Twilio answers these by itself. The word may be one that only the shop's settings there know.
    if opting == "STOP":
        return [Stopped(sender, message_id)]
    if opting == "START":
        return [Left(sender, message_id, back=True)]
    if opting == "HELP":
        return []
    if button := form.first("ButtonPayload"):
        return [Said(sender, message_id, form.first("ButtonText") or text, button)]
    if not text.strip():
        what = _what(form)
        if what is not None:
            return [Unreadable(sender, message_id, what)]
    return [Said(sender, message_id, text)]


def _what(form: Form) -> str | None:
    """What a message without words holds; None when that is nothing."""
    if form.first("Latitude") and form.first("Longitude"):
        return "location"
    if form.first("NumMedia") in {"", "0"}:
        return None
    media = form.first("MediaContentType0").partition(";")[0].strip().lower()
    return MEDIA.get(media) or MEDIA_KINDS.get(media.partition("/")[0], "file")


def report(message_id: str, status: str, error: str) -> Sequence[Event]:
    """What a message's new status tells."""
    if status in {"delivered", "read"}:
        return [Report(message_id, status)]
    if status not in {"failed", "undelivered"}:
        return []  # queued, sending, sent: on its way
    code = int(error) if error.isascii() and error.isdigit() and len(error) <= 6 else 0
    after = rules.CAPPED_FOR.total_seconds() if code == CAPPED else None
    return [Report(message_id, "failed", f"Twilio: {status}, error {code}", code in GONE, after)]
