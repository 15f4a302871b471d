"""What a page may send, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from rapport.channels.web_schemas import Text
from rapport.connectors.events import WHOLE
from rapport.site import rules

Visitor = Annotated[
    StrictStr,
    Field(pattern=r"^[A-Za-z0-9_-]{22,64}$", description="The random id that the browser made for itself."),
]
# `Text` refuses NUL; here the document says so as well.
Line = Annotated[Text, Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
Sku = Annotated[
    Line, Field(min_length=1, max_length=60, description="One that we do not know is passed over.")
]


class _Request(BaseModel):
    # A misspelt field is refused rather than ignored.
    model_config = ConfigDict(extra="forbid")


class _Event(_Request):
    ago: Annotated[int, Field(ge=0, le=10**9, description="Seconds since; a day at most counts."), WHOLE] = 0


class ProductViewed(_Event):
    """A product was looked at."""

    kind: Literal["product_viewed"]
    sku: Sku


class Item(_Request):
    """So many of a product."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=100_000), WHOLE]


class CartChanged(_Event):
    """All that is in the cart now, and the page where it can be bought: one of the sending site."""

    kind: Literal["cart_changed"]
    items: Annotated[list[Item], Field(max_length=rules.MOST_ITEMS)]
    url: Annotated[Line, Field(max_length=rules.LONGEST_URL)] | None = None


class CheckoutDone(_Event):
    """What was in the cart was ordered."""

    kind: Literal["checkout_done"]


class SignedUp(_Event):
    """An account was made."""

    kind: Literal["signed_up"]


class WantsBack(_Event):
    """A wish to be told when a product can be had again: of the customer, or of whoever has the address."""

    kind: Literal["wants_back"]
    sku: Sku
    email: Annotated[Line, Field(max_length=320)] | None = None


Event = Annotated[
    ProductViewed | CartChanged | CheckoutDone | SignedUp | WantsBack, Field(discriminator="kind")
]


class EventsRequest(_Request):
    """What somebody did who agreed to its being told."""

    visitor: Visitor
    events: Annotated[list[Event], Field(min_length=1, max_length=50)]
    identity_token: Annotated[Line, Field(max_length=8192)] | None = Field(
        default=None, description="A JWT (HS256) that the host site signed for its logged-in customer."
    )
    chat_token: Annotated[Line, Field(max_length=200)] | None = Field(
        default=None, description="The token of a chat; counts while somebody is verified there."
    )
    language: Annotated[Line, Field(max_length=35)] | None = Field(
        default=None, description="BCP 47 tag of the page, for a mail that asks for a yes."
    )


class ForgetRequest(_Request):
    """Somebody who agreed does so no longer."""

    visitor: Visitor
