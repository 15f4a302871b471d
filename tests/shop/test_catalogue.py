"""What a message names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from rapport.kit.database import session_scope
from rapport.shop.catalogue import Catalogue
from rapport.shop.models import Product, ProductText
from rapport.shop.phrases import PhraseIndex

NAMES = {
    "T1": ("Vidda 2 tunnel tent", "Vidda 2 tunneltelt"),
    "T2": ("Vidda 3 tunnel tent", "Vidda 3 tunneltelt"),
    "B1": ("Storm Käpp rain jacket", "Storm Käpp regnjakke"),
    "B2": ("Blåne Light jacket", "Blåne Light jakke"),
    "B3": ("Jacket Vestlandet Shell 3L", "Vestlandet Shell 3L skalljakke"),
    "S1": ("Merino socks", "Sokker i merino"),
    "S2": ("Boots wax", "Boots voks"),
    "S3": ("Nattly tarp", "Presenning Nattly"),
    "O1": ("Rondane 1 pack", "Rondane 1 sekk"),
    "O2": ("Rondane 2 pack", "Rondane 2 sekk"),
    "O3": ("Rondane 3 pack", "Rondane 3 sekk"),
    "O4": ("Rondane 4 pack", "Rondane 4 sekk"),
    "U1": ("Lampe Lyngen", "Lyngen Light lampe"),
    "U2": ("Stove of Lyngen", "Primus fra Lyngen"),
}


@pytest.fixture
def catalogue(engine: Engine) -> Catalogue:
    with session_scope(engine) as session:
        for sku, (en, nb) in NAMES.items():
            product = Product(sku=sku, price_minor=1, currency="NOK")
            product.texts = [ProductText(language="en", name=en), ProductText(language="nb", name=nb)]
            session.add(product)
    return Catalogue(engine)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is the VIDDA 2 tunnel tent in stock?", [("product", "T1", "VIDDA 2 tunnel tent")]),
        ("har dere vidda 3?", [("product", "T2", "vidda 3")]),
        ("vidda", [("product", "T1", "vidda"), ("product", "T2", "vidda")]),
        ("vida", []),
        ("cuánto vale la vestlandet", [("product", "B3", "vestlandet")]),
        ("Vestlandet Shell", [("product", "B3", "Vestlandet")]),
        ("how much is the vidda2", [("product", "T1", "vidda2")]),
        ("a BLANE and the nattly", [("product", "B2", "BLANE"), ("product", "S3", "nattly")]),
        ("something warm in merino wool", []),
        ("rondane", []),
        ("I like tents and boots", [("category", "tents", "tents"), ("category", "boots", "boots")]),
        ("me gustan las tiendas de campana", [("category", "tents", "tiendas de campana")]),
        ("ma intereseaza rucsacuri", [("category", "backpacks", "rucsacuri")]),
        ("jeg ser etter en RYGGSEKK!", [("category", "backpacks", "RYGGSEKK")]),
        ("sleping bag please", [("category", "sleeping_bags", "sleping bag")]),
        ("a rucksak for me", [("category", "backpacks", "rucksak")]),
        ("the storm kapp", [("product", "B1", "storm kapp")]),
        ("tienda", []),
        ("where is my order 10234", []),
        ("a boat", []),
        ("", []),
    ],
)
def test_match(catalogue: Catalogue, text: str, expected: list[tuple[str, str, str]]) -> None:
    found = [(item["entity"], item["value"], item["text"]) for item in catalogue.match(text)]
    assert found == expected


def test_new_products_are_seen(catalogue: Catalogue, engine: Engine) -> None:
    assert catalogue.match("Fjellreven 9000") == []
    with session_scope(engine) as session:
        product = Product(sku="F9", price_minor=1, currency="NOK")
        product.texts = [ProductText(language="nb", name="Fjellreven 9000")]
        session.add(product)
    assert catalogue.match("Fjellreven 9000") == []
    catalogue.reload()
    assert catalogue.match("Fjellreven 9000")[0]["value"] == "F9"


@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    index = PhraseIndex([("tent", ("category", "tents")), ("ski boots", ("category", "boots"))])
    for found in index.find(text):
        assert 0 <= found.start < found.end <= len(text)
