"""The demo's products, from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rapport.kit.languages import LANGUAGES
from rapport.shop.models import Product, ProductText

FOLDER = Path(__file__).parent
CURRENCY = "NOK"
MINOR = 100


def load_products() -> dict[str, Product]:
    """All products by sku, one file per category."""
    return {
        entry["sku"]: _product(path.stem, entry)
        for path in sorted((FOLDER / "products").glob("*.yml"))
        for entry in yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    }


def _product(category: str, entry: dict[str, Any]) -> Product:
    return Product(
        sku=entry["sku"],
        category=category,
        price_minor=entry["price"] * MINOR,
        currency=CURRENCY,
        cost_minor=entry["cost"] * MINOR,
        stock=entry["stock"],
        image=f"/demo/images/{category}.svg",
        url=f"/#{entry['sku']}",
        texts=[
            ProductText(language=language, name=entry[language][0], description=entry[language][1])
            for language in LANGUAGES
        ],
    )
