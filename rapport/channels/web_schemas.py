"""What the web chat takes and gives, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StrictStr, Tag

# Not empty, not only blanks, no NUL. The exact rules (length after trimming) are the route's.
CLIENT_ID_PATTERN = r"^[\x21-\x7e]{1,100}$"
BUTTON_PATTERN = r"^[0-9]{1,9}:[a-z0-9]{1,10}$"
CHANNEL_PATTERN = r"^[a-z]{1,20}$"


def _check_characters(value: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("contains half a surrogate pair, which is no character")
    if "\0" in value:
        raise ValueError("contains a NUL character")
    return value


# JSON can carry these; no database and no other program could take them.
Text = Annotated[StrictStr, AfterValidator(_check_characters)]
ClientId = Annotated[
    StrictStr,
    Field(
        pattern=CLIENT_ID_PATTERN,
        description="The client's own id of this message, such as a UUID; a second one is no second message.",
    ),
]


class _Request(BaseModel):
    # A misspelt field is refused rather than ignored.
    model_config = ConfigDict(extra="forbid")


class SessionRequest(_Request):
    """A new conversation."""

    language: Text | None = Field(
        default=None,
        max_length=35,
        description="BCP 47 tag of the page or browser; English is spoken when it is none of ours.",
    )
    identity_token: Text | None = Field(
        default=None,
        max_length=8192,
        description="A JWT (HS256) that the host site signed for its logged-in customer.",
    )


class SessionResponse(BaseModel):
    """The token is shown this once; it stands for the whole conversation."""

    conversation_id: str
    token: str
    language: str


class TextRequest(_Request):
    """Something the customer typed."""

    text: Annotated[
        Text,
        Field(
            description="1 to 4,000 characters, after blanks around it are removed.",
            json_schema_extra={"minLength": 1, "maxLength": 4000, "pattern": r"^[^\x00]*[^\x00\s][^\x00]*$"},
        ),
    ]
    client_id: ClientId


class ButtonRequest(_Request):
    """A button the customer pressed."""

    button: Annotated[
        StrictStr,
        Field(pattern=BUTTON_PATTERN, description="The reply's id and the button's, such as `7:b1`."),
    ]
    client_id: ClientId


def _variant(body: Any) -> str:
    return "button" if isinstance(body, dict) and "button" in body and "text" not in body else "text"


MessageRequest = Annotated[
    Annotated[TextRequest, Tag("text")] | Annotated[ButtonRequest, Tag("button")], Discriminator(_variant)
]
Status = Literal["bot", "waiting", "human"]


class Button(BaseModel):
    id: str
    title: str


class ChatMessage(BaseModel):
    """A message of the conversation. `id` counts up within it."""

    id: int
    author: Literal["customer", "bot", "staff", "system"]
    text: str | None
    buttons: list[Button]
    card: dict[str, Any] | None
    image: str | None
    language: str | None
    at: str
    client_id: str | None


class Accepted(BaseModel):
    """The message is stored and will be answered; `status` says by whom."""

    id: int
    status: Status


class Replies(BaseModel):
    """The answer to one message."""

    replies: list[ChatMessage]


class History(BaseModel):
    """Messages, oldest first; `more` says that further ones follow the last."""

    messages: list[ChatMessage]
    status: Status
    language: str
    more: bool


class LinkRequest(_Request):
    """A wish to go on in a messaging app."""

    channel: Annotated[
        StrictStr,
        Field(pattern=CHANNEL_PATTERN, description="Which one: `telegram`, `whatsapp`, `messenger` …"),
    ]


class LinkResponse(BaseModel):
    """A link into the app that shows there who the customer is: for them alone, and good once."""

    url: str
    expires_at: str
