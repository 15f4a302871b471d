"""Importing products: prices, cost, stock and texts per language."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, select

from rapport.connectors import importers
from rapport.connectors.report import Report
from rapport.kit.database import read_scope
from rapport.shop.catalogue import Catalogue
from rapport.shop.models import Product, ProductText

FILE = """sku,price,cost,stock,category,name_en,name_es,name_no,description_en,image
T1,"3,499.00",1890,24,Tents,Vidda 2 tent,Tienda Vidda 2,Vidda 2 telt,Roomy,/t1.svg
T2,99.5,,,sofas,A sofa,,,,
T3,cheap,,,,A thing,,,,
,1,,,,No code,,,,
T4,5,,,,,,,,
T5,-5,,,,Odd,,,,
T6,5,,1.5,,Odd,,,,
"""


def _import(engine: Engine, tmp_path: Path, content: str) -> Report:
    path = tmp_path / "products.csv"
    path.write_text(content, "utf-8")
    return importers.run(importers.plan("products", path), engine)


def _texts(engine: Engine, sku: str) -> dict[str, str]:
    with read_scope(engine) as session:
        rows = session.execute(
            select(ProductText.language, ProductText.name).join(Product).where(Product.sku == sku)
        )
        return {row.language: row.name for row in rows}


def test_what_is_taken(engine: Engine, tmp_path: Path) -> None:
    report = _import(engine, tmp_path, FILE)
    assert (report.read, report.taken, report.added["products"]) == (7, 2, 2)
    assert dict(report.skipped) == {
        "price: not a number": 1,
        "no product code": 1,
        "no name": 1,
        "price: below zero": 1,
        "stock: not a whole number": 1,
    }
    assert _texts(engine, "T1") == {"en": "Vidda 2 tent", "es": "Tienda Vidda 2", "nb": "Vidda 2 telt"}
    with read_scope(engine) as session:
        tent = session.scalars(select(Product).where(Product.sku == "T1")).one()
        assert (tent.price_minor, tent.cost_minor, tent.stock) == (349900, 189000, 24)
        assert (tent.category, tent.image, tent.currency) == ("tents", "/t1.svg", "NOK")
        sofa = session.scalars(select(Product).where(Product.sku == "T2")).one()
        assert (sofa.category, sofa.cost_minor, sofa.stock) == ("sofas", None, None)


def test_again_changes_nothing_and_a_new_price_is_taken(engine: Engine, tmp_path: Path) -> None:
    _import(engine, tmp_path, FILE)
    report = _import(engine, tmp_path, FILE)
    assert (report.added["products"], report.changed["products"]) == (0, 0)
    report = _import(engine, tmp_path, "SKU;Pris;Navn nb\nT1;2.999,00;Vidda 2 tunneltelt\n")
    assert report.changed["products"] == 1
    assert _texts(engine, "T1")["nb"] == "Vidda 2 tunneltelt"
    assert _texts(engine, "T1")["en"] == "Vidda 2 tent"
    with read_scope(engine) as session:
        tent = session.scalars(select(Product).where(Product.sku == "T1")).one()
        assert (tent.price_minor, tent.stock) == (299900, 24)


def test_a_name_without_language_is_in_the_shops(engine: Engine, tmp_path: Path) -> None:
    _import(engine, tmp_path, "sku,name,price\nA,Red mug,5\nA,Blue mug,6\n")
    assert _texts(engine, "A") == {"en": "Blue mug"}


def test_the_catalogue_sees_them(engine: Engine, tmp_path: Path) -> None:
    catalogue = Catalogue(engine)
    assert catalogue.match("vidda 2 telt") == [{"entity": "category", "value": "tents", "text": "telt"}]
    _import(engine, tmp_path, FILE)
    catalogue.reload()
    assert [match["value"] for match in catalogue.match("har dere vidda 2 telt?")] == ["T1"]
    _import(engine, tmp_path, "sku,price,name_nb\nT1,1,Storlien sovetelt\n")
    catalogue.reload()
    assert [match["value"] for match in catalogue.match("storlien sovetelt")] == ["T1"]
