"""Order lines from a CSV file.

An order is what carries one invoice number. How the odd rows of real files are read:

- A number that begins with C, as some shops mark cancellations, is money given back; so is a negative
  quantity in an ordinary order, which is then linked to that order.
- A price of nothing is a gift when the customer is known, else a correction of the stock: skipped.
  A price below nothing is bookkeeping: skipped.
- Without a customer the order is taken without one.
- Postage, fees and discounts are lines of the order but no products.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision

from rapport.connectors.csv import values
from rapport.connectors.csv.records import Record
from rapport.connectors.lines import OrderLine, Who
from rapport.connectors.plan import Plan
from rapport.connectors.report import Report
from rapport.customers.rules import normalise_email

CANCELLATION = re.compile(r"[Cc]-?\d+")
NUMBER_LENGTH, SKU_LENGTH, REFERENCE_LENGTH = 60, 60, 120
DESCRIPTION_LENGTH = 300
# Codes of lines that are money but no goods.
NOT_GOODS = {
    *("post", "postage", "dot", "shipping", "delivery", "freight", "carriage", "c2", "frakt", "porto"),
    *("envio", "gastos de envio", "transport", "livrare"),
    *("d", "discount", "rabatt", "descuento", "reducere", "m", "manual", "b", "s", "samples", "pads", "cruk"),
    *("bank charges", "amazonfee", "fee", "gebyr", "adjust", "adjustment", "tip", "gift wrap"),
}


class OrderReader:
    """Turns records into order lines; what cannot be one goes into the report."""

    def __init__(self, plan: Plan, report: Report, zone: ZoneInfo) -> None:
        self._columns = plan.columns
        self._decimal = plan.decimal
        self._order = plan.date_order
        self._precision = get_currency_precision(plan.currency)
        self._report = report
        self._zone = zone

    def read(self, row: int, record: Record) -> OrderLine | None:
        """The line in this record, or None after saying why not."""
        try:
            return self._line(row, record)
        except ValueError as error:
            self._report.skip(str(error), row)
            return None

    def _line(self, row: int, record: Record) -> OrderLine:
        number = values.reference(self._cell(record, "order"))
        if not number:
            raise ValueError("no order number")
        if len(number) > NUMBER_LENGTH:
            raise ValueError("order number too long")
        description = values.clean(self._cell(record, "description"))[:DESCRIPTION_LENGTH]
        sku = values.reference(self._cell(record, "sku")) or description[:SKU_LENGTH]
        if not sku:
            raise ValueError("no product")
        if len(sku) > SKU_LENGTH:
            raise ValueError("product code too long")
        quantity = self._quantity(record)
        price = self._price(record)
        placed_at = self._date(record)
        who = self._who(record, row)
        if price == 0 and who is None:
            raise ValueError("price is zero and no customer (a correction of the stock)")
        cancellation = CANCELLATION.fullmatch(number) is not None
        return OrderLine(
            row=row,
            order=number,
            placed_at=placed_at,
            sku=sku,
            description=description,
            quantity=abs(quantity),
            unit_price_minor=price,
            who=who,
            country=values.country(self._cell(record, "country")),
            refund=cancellation or quantity < 0,
            returned_from=None if cancellation else number,
            goods=sku.lower() not in NOT_GOODS,
        )

    def _cell(self, record: Record, field: str) -> str:
        position = self._columns.get(field)
        return "" if position is None else record[position]

    def _quantity(self, record: Record) -> int:
        if "quantity" not in self._columns:
            return 1
        with values.SaidOf("quantity"):
            quantity = values.whole(self._cell(record, "quantity"), self._decimal)
        if quantity == 0:
            raise ValueError("quantity is zero")
        return quantity

    def _price(self, record: Record) -> int:
        with values.SaidOf("price"):
            price = values.amount(self._cell(record, "price"), self._decimal, self._precision)
        if price < 0:
            raise ValueError("price below zero (bookkeeping)")
        return price

    def _date(self, record: Record) -> datetime:
        with values.SaidOf("date"):
            return values.moment(self._cell(record, "date"), self._order, self._zone)

    def _who(self, record: Record, row: int) -> Who | None:
        reference = values.reference(self._cell(record, "customer"))
        if len(reference) > REFERENCE_LENGTH:
            raise ValueError("customer id too long")
        typed = values.clean(self._cell(record, "email"))
        email = normalise_email(typed) if typed else None
        if typed and email is None:
            self._report.note("e-mail address not valid, left out", row)
        return Who(reference or None, email) if reference or email else None
