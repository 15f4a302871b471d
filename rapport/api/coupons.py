"""`POST /coupons/{code}/check|hold|redeem|release|rollback`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.api import service
from rapport.api.access import READ_ERRORS, WRITE_ERRORS, Reader, Writer, reads, writes
from rapport.api.schemas import (
    CODE,
    CouponAnswer,
    CouponRequest,
    HoldCouponRequest,
    RedeemCouponRequest,
    ReleaseCouponRequest,
    RollbackRequest,
)
from rapport.connectors import repository
from rapport.connectors.effects import basket
from rapport.kit import clock, problems
from rapport.loyalty.offers import service as offers

routes = APIRouter(prefix="/coupons/{code}", tags=["coupons"])
CouponReader = Annotated[Reader, Depends(reads("coupons"))]
CouponWriter = Annotated[Writer, Depends(writes("coupons"))]
Code = Annotated[str, Path(pattern=CODE, description="As the customer typed it.", examples=["FJ-7KQM-X2PA"])]


def _post(name: str, summary: str, errors: tuple[int, ...] = WRITE_ERRORS) -> Callable[..., Any]:
    return routes.post(
        f"/{name}",
        operation_id=f"coupon_{name}",
        summary=summary,
        response_model=CouponAnswer,
        responses=problems.documented(*errors),
    )


@_post("check", "What a code would take off", READ_ERRORS)
def check(reader: CouponReader, code: Code, body: CouponRequest) -> CouponAnswer:
    """Changes nothing. 409 with a `reason` when it cannot be used: `unknown`, `expired`, `used`, …

    Codes are for one customer each. Without `customer` the answer only holds for whom it was issued to.
    """

    def find(session: Session) -> CouponAnswer:
        found = _answer(offers.check(session, code, **_order(session, body)))
        return found.model_copy(update={"depends_on_customer": body.customer is None})

    return reader.read(find)


@_post("hold", "Put a code aside for a basket")
def hold(writer: CouponWriter, code: Code, body: HoldCouponRequest) -> Response:
    """Until it is redeemed or released, or the time is over, only that basket can use it."""

    def work(session: Session, key: str) -> CouponAnswer:
        until = clock.now() + timedelta(minutes=body.minutes)
        order = _order(session, body)
        return _answer(offers.hold(session, code, key=key, holder=basket(body.basket), until=until, **order))

    return writer.once(body, work)


@_post("redeem", "Use a code")
def redeem(writer: CouponWriter, code: Code, body: RedeemCouponRequest) -> Response:
    """Once and for good. Order events that carry the code do the same, so most shops need not ask for it."""

    source = writer.source(body.source)

    def work(session: Session, key: str) -> CouponAnswer:
        order_id = repository.order_of_number(session, source, body.order) if body.order else None
        return _answer(
            offers.redeem(
                session,
                code,
                key=key,
                holder=basket(body.basket) if body.basket else None,
                order_id=order_id,
                **_order(session, body),
            )
        )

    return writer.once(body, work)


@_post("release", "End a hold")
def release(writer: CouponWriter, code: Code, body: ReleaseCouponRequest) -> Response:
    """The code can be used again at once."""

    def work(session: Session, key: str) -> CouponAnswer:
        return _answer(offers.release(session, code, key=key, holder=basket(body.basket)))

    return writer.once(body, work)


@_post("rollback", "Undo a use")
def rollback(writer: CouponWriter, code: Code, body: RollbackRequest) -> Response:
    """The code is good again until its end. A cancelled or fully refunded order does so by itself."""

    def work(session: Session, key: str) -> CouponAnswer:
        return _answer(offers.rollback(session, code, key=key, reason=body.reason))

    return writer.once(body, work)


def _order(session: Session, body: CouponRequest) -> dict[str, Any]:
    return {
        "order_minor": body.order_minor,
        "currency": body.currency,
        "customer_id": service.customer_id(session, body.customer) if body.customer else None,
        "with_codes": body.with_codes,
        "items": [(item.sku, item.quantity) for item in body.items],
    }


def _answer(quote: offers.Quote) -> CouponAnswer:
    return CouponAnswer.model_validate(quote)
