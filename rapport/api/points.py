"""`POST /points/earn|burn|hold|capture|release`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.api import service
from rapport.api.access import WRITE_ERRORS, Writer, writes
from rapport.api.schemas import BurnRequest, EarnRequest, HeldRequest, HoldPointsRequest, MovementAnswer
from rapport.kit import clock, problems
from rapport.loyalty.points import service as ledger

routes = APIRouter(prefix="/points", tags=["points"], responses=problems.documented(*WRITE_ERRORS))
PointsWriter = Annotated[Writer, Depends(writes("points"))]


@routes.post("/earn", operation_id="points_earn", summary="Give points", response_model=MovementAnswer)
def earn(writer: PointsWriter, body: EarnRequest) -> Response:
    """For something that is no order: orders earn by themselves."""

    def work(session: Session, key: str) -> MovementAnswer:
        customer_id = service.customer_id(session, body.customer)
        return _answer(ledger.earn(session, customer_id, body.points, key=key, reason=body.reason))

    return writer.once(body, work)


@routes.post("/burn", operation_id="points_burn", summary="Spend points", response_model=MovementAnswer)
def burn(writer: PointsWriter, body: BurnRequest) -> Response:
    """At once and for good. 409 when there are not enough."""

    def work(session: Session, key: str) -> MovementAnswer:
        customer_id = service.customer_id(session, body.customer)
        return _answer(ledger.burn(session, customer_id, body.points, key=key, reason=body.reason))

    return writer.once(body, work)


@routes.post("/hold", operation_id="points_hold", summary="Set points aside", response_model=MovementAnswer)
def hold(writer: PointsWriter, body: HoldPointsRequest) -> Response:
    """While the customer pays. What is neither captured nor released in time comes back by itself."""

    def work(session: Session, key: str) -> MovementAnswer:
        customer_id = service.customer_id(session, body.customer)
        until = clock.now() + timedelta(minutes=body.minutes)
        return _answer(ledger.hold(session, customer_id, body.points, key=key, until=until))

    return writer.once(body, work)


@routes.post(
    "/capture",
    operation_id="points_capture",
    summary="Spend what was set aside",
    response_model=MovementAnswer,
)
def capture(writer: PointsWriter, body: HeldRequest) -> Response:
    """For good. An order event that names the hold does the same."""

    def work(session: Session, key: str) -> MovementAnswer:
        return _answer(ledger.capture(session, body.hold, key=key))

    return writer.once(body, work)


@routes.post(
    "/release",
    operation_id="points_release",
    summary="Give back what was set aside",
    response_model=MovementAnswer,
)
def release(writer: PointsWriter, body: HeldRequest) -> Response:
    """Because nothing came of the order."""

    def work(session: Session, key: str) -> MovementAnswer:
        return _answer(ledger.release(session, body.hold, key=key))

    return writer.once(body, work)


def _answer(movement: ledger.Movement) -> MovementAnswer:
    return MovementAnswer(key=movement.key, points=movement.points, balance=movement.balance)
