"""`POST /orders/events`: what happened to an order."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.api.access import WRITE_ERRORS, Writer, writes
from rapport.api.schemas import CouponOutcome, EventAnswer, EventRequest
from rapport.connectors import order_events
from rapport.kit import problems

routes = APIRouter(prefix="/orders", tags=["orders"], responses=problems.documented(*WRITE_ERRORS))
OrderWriter = Annotated[Writer, Depends(writes("orders"))]


@routes.post(
    "/events",
    operation_id="order_event",
    summary="Tell what happened to an order",
    response_model=EventAnswer,
)
def event(writer: OrderWriter, body: EventRequest) -> Response:
    """Placed, paid, shipped, delivered, refunded or cancelled, in whatever order it arrives.

    The same `event_id` again changes nothing. Codes of ours are redeemed, points paid with are taken, points
    are earned as soon as the order is paid. A refund takes its share back; a full one, or a cancellation,
    also gives the codes back.
    """

    source = writer.source(body.source)

    def work(session: Session, _key: str) -> EventAnswer:
        applied = order_events.apply(session, body.event(source))
        return EventAnswer(
            status=applied.status,
            number=applied.number,
            order_status=applied.order_status,
            customer=f"id:{applied.customer_id}" if applied.customer_id is not None else None,
            points=applied.points,
            coupons=[CouponOutcome(code=use.code, outcome=use.outcome) for use in applied.coupons],
            notes=list(applied.notes),
        )

    return writer.once(body, work)
