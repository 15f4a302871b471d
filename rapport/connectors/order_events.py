"""Taking in what happened to an order, whatever shop says it, in whatever order it arrives.

An event counts once: `source` and `event_id` are its name. Events may come late and out of order: an order
never moves back, its details are those of the newest event that tells them, and an event of an order nobody
has placed yet waits for it. Everything of one event happens in the caller's transaction or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from rapport.connectors import effects, repository, rules
from rapport.connectors.effects import CouponUse
from rapport.connectors.events import Details, OrderEvent, Person
from rapport.connectors.models import OrderEventRecord
from rapport.customers import repository as customer_repository
from rapport.customers import service as customers
from rapport.kit import clock, languages, locks
from rapport.kit.errors import ConflictError, RapportError
from rapport.shop import repository as shop_repository
from rapport.shop.models import Order, OrderItem, Refund

__all__ = ["Applied", "CouponUse", "Details", "OrderEvent", "apply"]


@dataclass(frozen=True)
class Applied:
    """What came of an event. `waiting`: its order is not known yet; the event counts as soon as it is.

    `points` are those earned by it or, below zero, taken back; `notes` say what was passed over.
    """

    status: Literal["applied", "repeated", "waiting"]
    order_id: int | None = None
    number: str | None = None
    order_status: str | None = None
    customer_id: int | None = None
    points: int = 0
    coupons: tuple[CouponUse, ...] = ()
    notes: tuple[str, ...] = ()


def apply(session: Session, event: OrderEvent, *, same_id_is_same: bool = False) -> Applied:
    """Let an event count. Raises ConflictError that names the field when it contradicts what was told.

    The same event again changes nothing. Another event under the same id is a ConflictError, except with
    `same_id_is_same`: for events we make ourselves of what a shop's whole order says.
    """
    names = [name for name in (event.number, event.reference) if name is not None]
    locks.one_at_a_time(session, *(f"order:{event.source}:{name}" for name in names))
    record_id = repository.add_event(
        session,
        source=event.source,
        event_id=event.event_id,
        kind=event.kind,
        digest=event.digest(),
        number=event.number,
        reference=event.reference,
        at=_happened(event),
        described=event.order is not None,
    )
    order_id = _order_id(session, event)
    if record_id is None:
        record = repository.event_of(session, event.source, event.event_id)
        if not same_id_is_same and record.digest != event.digest():
            raise ConflictError(
                "event_id: another event was sent under this id. Give each event an id of its own."
            )
        if not record.waiting or order_id is None:
            return _repeated(session, record)
        # It could not be applied before; now it is tried again.
        record.waiting, record.payload, record.digest = False, None, event.digest()
        record.number, record.reference = event.number, event.reference
    else:
        record = repository.get_event(session, record_id)
    if order_id is None and event.order is None:
        record.waiting, record.payload = True, event.model_dump_json()
        session.flush()
        return Applied("waiting", number=event.number)
    change = _Change(session, event, record, order_id)
    change.run()
    for late, late_record in _waiting_for(session, change.order):
        _catch_up(session, late, late_record, change)
    return change.applied()


def _happened(event: OrderEvent) -> datetime:
    """When it did. Nothing happens in time to come: a shop's clock may be ahead of ours."""
    return min(event.at, clock.now())


def _order_id(session: Session, event: OrderEvent) -> int | None:
    """The order that is meant. Raises ConflictError when number and reference mean two."""
    by_number = by_reference = None
    if event.number is not None:
        by_number = repository.order_of_number(session, event.source, event.number)
    if event.reference is not None:
        by_reference = repository.order_of_reference(session, event.source, event.reference)
    if event.number is not None and by_reference not in {None, by_number}:
        raise ConflictError("reference: belongs to an order with another number")
    return by_reference if by_number is None else by_number


def _repeated(session: Session, record: OrderEventRecord) -> Applied:
    order = session.get(Order, record.order_id) if record.order_id is not None else None
    if order is None:
        return Applied("repeated", number=record.number)
    return Applied("repeated", order.id, order.number, order.status, order.customer_id)


def _waiting_for(session: Session, order: Order) -> list[tuple[OrderEvent, OrderEventRecord]]:
    """What still waits to be applied to this order, in the order in which it happened."""
    found = [
        (OrderEvent.model_validate_json(record.payload), record)
        for record in repository.waiting_events(session, order)
        if record.payload is not None
    ]
    return sorted(found, key=lambda pair: (pair[0].at, rules.ORDER_OF_KINDS.index(pair[0].kind)))


def _catch_up(session: Session, late: OrderEvent, record: OrderEventRecord, change: _Change) -> None:
    """Let an event count that waited; what is wrong with it must not keep others out, and it waits on."""
    try:
        with session.begin_nested():
            record.waiting, record.payload = False, None
            _Change(session, late, record, change.order.id, change).run()
    except RapportError as error:
        change.notes.append(f"event {late.event_id}: {error}")


class _Change:
    """One event on its way into the database."""

    def __init__(
        self,
        session: Session,
        event: OrderEvent,
        record: OrderEventRecord,
        order_id: int | None,
        first: _Change | None = None,
    ) -> None:
        self._session = session
        self._event = event
        self._record = record
        self._order_id = order_id
        self._at = _happened(event)
        self._late = first is not None
        self.notes: list[str] = first.notes if first else []
        self._coupons: list[CouponUse] = first._coupons if first else []
        self._points: list[int] = first._points if first else []
        self.order: Order

    def run(self) -> None:
        """Bring order, customer and everything that hangs on them to where the event leads."""
        event, session = self._event, self._session
        person = event.order.customer if event.order else None
        known = session.get(Order, self._order_id) if self._order_id is not None else None
        self._lock(person, known)
        customer_id = self._customer(person) if person else known.customer_id if known else None
        details = event.order
        if known is None:
            assert event.order is not None and event.number is not None
            self.order = self._new_order(event.number, event.order, customer_id)
        else:
            self.order = repository.lock_order(session, known.id)
            if not self._update_order(customer_id):
                details = None
        self._record.order_id = self.order.id
        before = self.order.status
        self._ship()
        self._move()
        session.flush()
        refund = self._refund() if event.refund else None
        outcome = effects.follow(
            session,
            self.order,
            details,
            named=customer_id if person and person.id else None,
            before=before,
            refund=refund,
            at=self._at,
            notes=self.notes,
        )
        self._points.append(outcome.points)
        self._coupons += outcome.coupons
        session.flush()

    def applied(self) -> Applied:
        """What came of it all."""
        return Applied(
            "applied",
            self.order.id,
            self.order.number,
            self.order.status,
            self.order.customer_id,
            sum(self._points),
            tuple(self._coupons),
            tuple(dict.fromkeys(self.notes)),
        )

    def _lock(self, person: Person | None, known: Order | None) -> None:
        """Lock all customers the event may touch, before anything of theirs, in the order of their ids.

        An order may carry somebody else's code or hold: two such orders must not wait for each other.
        """
        session = self._session
        touched = effects.touched(session, self._event.order, known)
        if person is not None:
            references, identities = self._names(person)
            names = [f"customer:{kind}:{value}" for kind, value in [*references, *identities]]
            # Two first orders of somebody new must not make two customers of them.
            locks.one_at_a_time(session, *names)
            found = customers.find_customer(session, references, identities, person.country)
            touched |= {found} if found is not None else set()
        for customer_id in sorted(touched):
            customer_repository.lock_customer(session, customer_id)

    def _names(self, person: Person) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        references = [(self._event.source, person.id)] if person.id else []
        given = (("email", person.email), ("phone", person.phone))
        return references, [(kind, value) for kind, value in given if value]

    def _customer(self, person: Person) -> int | None:
        references, identities = self._names(person)
        if not references and not identities:
            return None
        customer = customers.ensure_customer(
            self._session,
            references=references,
            identities=identities,
            name=person.name,
            language=languages.normalise(person.language),
            country=person.country,
        )
        return customer.id

    def _new_order(self, number: str, details: Details, customer_id: int | None) -> Order:
        order = Order(
            source=self._event.source,
            number=number,
            customer_id=customer_id,
            status="placed",
            currency=details.currency,
            total_minor=details.total_minor,
            placed_at=self._placed_at(details),
        )
        self._session.add(order)
        self._write_items(order, details)
        self._session.flush()
        return order

    def _update_order(self, customer_id: int | None) -> bool:
        """Take the event's details; False when there are none or newer ones are known."""
        order, details = self.order, self._event.order
        if details is None:
            return False
        if order.currency != details.currency:
            raise ConflictError("order.currency: is another than that of the order so far")
        if order.customer_id is None:
            order.customer_id = customer_id
        elif customer_id is not None and customer_id != order.customer_id:
            self.notes.append("order.customer: the order stays with the customer it was first told of")
        newest = repository.described_at(self._session, order.id)
        if newest is not None and self._at < newest:
            return False
        order.placed_at = min(order.placed_at, self._placed_at(details))
        refunded = shop_repository.refunded_minor(self._session, order.id)
        if details.total_minor < refunded:
            raise ConflictError("order.total_minor: is less than what was paid back")
        if rules.is_paid(order.status) and details.total_minor != order.total_minor:
            self.notes.append("order.total_minor: changed after payment; points follow with the next refund")
        order.total_minor = details.total_minor
        self._write_items(order, details)
        return True

    def _placed_at(self, details: Details) -> datetime:
        return min(details.placed_at or self._at, self._at)

    def _write_items(self, order: Order, details: Details) -> None:
        products = shop_repository.products_by_sku(self._session, [item.sku for item in details.items])
        lines = {item.line: item for item in order.items}
        for line, item in enumerate(details.items, 1):
            row = lines.pop(line, None)
            if row is None:
                row = OrderItem(line=line)
                order.items.append(row)
            product = products.get(item.sku)
            row.sku, row.product_id = item.sku, product.id if product else None
            row.description = item.name or ""
            row.quantity, row.unit_price_minor = item.quantity, item.unit_price_minor
        for row in lines.values():
            order.items.remove(row)

    def _ship(self) -> None:
        shipment = self._event.shipment
        if shipment is None:
            return
        self.order.carrier = shipment.carrier or self.order.carrier
        self.order.tracking_number = shipment.tracking_number or self.order.tracking_number
        self.order.expected_at = shipment.expected_at or self.order.expected_at

    def _move(self) -> None:
        order, event = self.order, self._event
        if event.shipment and not rules.is_whole(event.shipment.units, (i.quantity for i in order.items)):
            self.notes.append("shipment.units: a part of the order only; its status stays")
            return
        if event.kind == "shipped":
            order.shipped_at = order.shipped_at or self._at
        if event.kind == "delivered":
            order.delivered_at = order.delivered_at or self._at
        order.status = rules.advance(order.status, event.kind)

    def _refund(self) -> Refund | None:
        said, order = self._event.refund, self.order
        assert said is not None
        if said.currency not in {None, order.currency}:
            raise ConflictError("refund.currency: is another than that of the order")
        left = order.total_minor - shop_repository.refunded_minor(self._session, order.id)
        known = repository.refund_of(self._session, self._event.source, said.reference)
        if known is not None:
            # One that was more than what was left counted as that.
            more = said.amount_minor - known.amount_minor
            if known.order_id != order.id or more < 0 or (more > 0 and left > 0):
                raise ConflictError("refund.reference: another refund was sent under this reference")
            return None
        amount = min(said.amount_minor, left)
        if amount < said.amount_minor and self._late:
            # It came before the order did: newer details, with a larger sum, may still be on their way.
            raise ConflictError("refund.amount_minor: is more than what is left of the order")
        if amount < said.amount_minor:
            # The money is gone: to refuse it would keep out all else that is told with it.
            self.notes.append("refund.amount_minor: is more than what is left of the order; only that counts")
        if amount == left and order.status != "cancelled":
            order.status = "refunded"
        if amount <= 0:
            return None
        refund = Refund(
            order_id=order.id,
            customer_id=order.customer_id,
            source=self._event.source,
            reference=said.reference,
            amount_minor=amount,
            currency=order.currency,
            at=self._at,
            reason=said.reason,
        )
        self._session.add(refund)
        self._session.flush()
        return refund
