"""`GET /customers/{customer}/points` and `/value`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from sqlalchemy.orm import Session

from rapport.api import service
from rapport.api.access import READ_ERRORS, Reader, reads
from rapport.api.schemas import CUSTOMER, StatementAnswer, ValueAnswer
from rapport.kit import problems
from rapport.kit.errors import NotFoundError
from rapport.loyalty.points import service as ledger
from rapport.value import service as value

routes = APIRouter(prefix="/customers", tags=["customers"], responses=problems.documented(*READ_ERRORS))
CustomerReader = Annotated[Reader, Depends(reads("read"))]
CustomerPath = Annotated[
    str,
    Path(
        pattern=CUSTOMER,
        description="`id:12`, `shop:c-1042` or `email:…`. An address in a URL may end up in a proxy's log:"
        " better ask by one of the others.",
        examples=["shop:c-1042"],
    ),
]


@routes.get(
    "/{customer}/points",
    operation_id="customer_points",
    summary="A customer's points",
    response_model=StatementAnswer,
)
def points(reader: CustomerReader, customer: CustomerPath) -> StatementAnswer:
    """What can be spent now, what is on its way, what expires next, and their level in the club."""

    def find(session: Session) -> StatementAnswer:
        found = ledger.statement(session, service.customer_id(session, customer))
        return StatementAnswer.model_validate(
            {
                "available": found.available,
                "pending": found.pending,
                "held": found.held,
                "debt": found.debt,
                "next_expiry": _parcel(found.next_expiry),
                "next_pending": _parcel(found.next_pending),
                "tier": found.tier,
            }
        )

    return reader.read(find)


@routes.get(
    "/{customer}/value",
    operation_id="customer_value",
    summary="What a customer is worth",
    response_model=ValueAnswer,
)
def worth(reader: CustomerReader, customer: CustomerPath) -> ValueAnswer:
    """Stage, segment and scores, and the expected value with its uncertainty. 404 before a first order."""

    def find(session: Session) -> ValueAnswer:
        standing = value.standing(session, service.customer_id(session, customer))
        if standing is None:
            raise NotFoundError("Nothing is known of this customer's value yet.")
        return ValueAnswer.model_validate(standing)

    return reader.read(find)


def _parcel(pair: tuple[int, object] | None) -> dict[str, object] | None:
    return {"points": pair[0], "at": pair[1]} if pair else None
