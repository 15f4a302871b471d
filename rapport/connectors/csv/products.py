"""Products from a CSV file: prices, cost, stock, names and descriptions per language."""

from __future__ import annotations

from dataclasses import dataclass

from babel.numbers import get_currency_precision
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from rapport.connectors.csv import values
from rapport.connectors.csv.fields import TEXTS
from rapport.connectors.csv.records import Record
from rapport.connectors.plan import Plan
from rapport.connectors.report import Report
from rapport.kit.languages import LANGUAGES
from rapport.shop.facts import ShopFacts
from rapport.shop.models import Product, ProductText
from rapport.shop.phrases import fold

SKU_LENGTH, CATEGORY_LENGTH, LINK_LENGTH, NAME_LENGTH = 60, 80, 500, 200


@dataclass(frozen=True)
class ProductRow:
    """A product as a row describes it: `fields` are columns of the table, `texts` name and description."""

    row: int
    sku: str
    fields: dict[str, object]
    texts: dict[str, dict[str, str]]


class ProductReader:
    """Turns records into products; what cannot be one goes into the report."""

    def __init__(self, plan: Plan, report: Report, facts: ShopFacts) -> None:
        self._plan = plan
        self._report = report
        self._language = facts.language
        self._precision = get_currency_precision(plan.currency)
        self._categories = {
            fold(word): key for key, words in facts.categories.items() for word in (key, *words.all())
        }

    def read(self, row: int, record: Record) -> ProductRow | None:
        """The product in this record, or None after saying why not."""
        try:
            return self._product(row, record)
        except ValueError as error:
            self._report.skip(str(error), row)
            return None

    def _product(self, row: int, record: Record) -> ProductRow:
        sku = values.reference(self._cell(record, "sku"))
        if not sku:
            raise ValueError("no product code")
        if len(sku) > SKU_LENGTH:
            raise ValueError("product code too long")
        price = self._amount(record, "price")
        if price is None:
            raise ValueError("no price")
        texts = self._texts(record)
        if not any("name" in text for text in texts.values()):
            raise ValueError("no name")
        optional = {
            "cost_minor": self._amount(record, "cost"),
            "stock": self._stock(record),
            "category": self._category(record),
            "image": self._cell(record, "image")[:LINK_LENGTH] or None,
            "url": self._cell(record, "url")[:LINK_LENGTH] or None,
        }
        fields: dict[str, object] = {"price_minor": price, "currency": self._plan.currency}
        # What the file does not say stays as it is.
        fields |= {name: value for name, value in optional.items() if value is not None}
        return ProductRow(row, sku, fields, texts)

    def _cell(self, record: Record, field: str) -> str:
        position = self._plan.columns.get(field)
        return "" if position is None else values.clean(record[position])

    def _amount(self, record: Record, field: str) -> int | None:
        typed = self._cell(record, field)
        if not typed:
            return None
        with values.SaidOf(field):
            amount = values.amount(typed, self._plan.decimal, self._precision)
            if amount < 0:
                raise ValueError("below zero")
            return amount

    def _stock(self, record: Record) -> int | None:
        typed = self._cell(record, "stock")
        if not typed:
            return None
        with values.SaidOf("stock"):
            return values.whole(typed, self._plan.decimal)

    def _category(self, record: Record) -> str | None:
        typed = self._cell(record, "category")
        return self._categories.get(fold(typed), typed[:CATEGORY_LENGTH]) or None

    def _texts(self, record: Record) -> dict[str, dict[str, str]]:
        """By language what is there of name and description; the language's own column wins."""
        texts: dict[str, dict[str, str]] = {}
        for text in TEXTS:
            for language in LANGUAGES:
                typed = self._cell(record, f"{text}_{language}")
                if not typed and language == self._language:
                    typed = self._cell(record, text)
                if typed:
                    texts.setdefault(language, {})[text] = typed[:NAME_LENGTH] if text == "name" else typed
        return texts


class ProductWriter:
    """Writes products a chunk in one transaction."""

    chunk = 1_000

    def __init__(self, report: Report) -> None:
        self._report = report

    def write(self, session: Session, rows: list[ProductRow]) -> None:
        """Add these products, or bring what is known of them up to date."""
        query = select(Product).where(Product.sku.in_({row.sku for row in rows}))
        known = {
            product.sku: product for product in session.scalars(query.options(selectinload(Product.texts)))
        }
        added, changed = set[str](), set[str]()
        for row in rows:
            product = known.get(row.sku)
            if product is None:
                product = known[row.sku] = Product(sku=row.sku)
                session.add(product)
                added.add(row.sku)
            if _apply(product, row) and row.sku not in added:
                changed.add(row.sku)
        session.flush()
        self._report.taken += len(rows)
        self._report.added["products"] += len(added)
        self._report.changed["products"] += len(changed)


def _apply(product: Product, row: ProductRow) -> bool:
    """Write the row's values into the product; whether any was another before."""
    changed = False
    for name, value in row.fields.items():
        if getattr(product, name) != value:
            setattr(product, name, value)
            changed = True
    texts = {text.language: text for text in product.texts}
    for language, said in row.texts.items():
        text = texts.get(language)
        if text is None:
            if "name" not in said:
                continue
            text = ProductText(language=language, name="", description="")
            product.texts.append(text)
        for name, value in said.items():
            if getattr(text, name) != value:
                setattr(text, name, value)
                changed = True
    return changed
