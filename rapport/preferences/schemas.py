"""What subscribing takes and gives, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rapport.channels.web_schemas import Text


class SubscribeRequest(BaseModel):
    """Somebody would like to hear from the shop."""

    # A misspelt field is refused rather than ignored.
    model_config = ConfigDict(extra="forbid")

    email: Annotated[Text, Field(min_length=1, max_length=320, description="Where to.")]
    language: Annotated[
        Text | None, Field(max_length=35, description="BCP 47 tag of the page; else the shop's own language.")
    ] = None
    purposes: Annotated[
        list[Literal["newsletter", "tips", "reminders", "alerts"]],
        Field(min_length=1, max_length=4, description="What they want to hear of."),
    ] = ["newsletter"]
    website: Annotated[
        Text,
        Field(
            max_length=2000,
            description="A field that no person sees. Whoever fills it in gets the same answer and no mail.",
        ),
    ] = ""


class SubscribeResponse(BaseModel):
    """The same for every address, known or not."""

    status: Literal["asked"] = "asked"
    text: Annotated[str, Field(description="What to tell them, in their language.")]
