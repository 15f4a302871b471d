"""Products as others ask for them: what one is and costs, whether it can be had, what there is of a kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin

from sqlalchemy.orm import Session

from rapport.kit.settings import get_settings
from rapport.shop import repository, rules
from rapport.shop.facts import get_facts
from rapport.shop.models import Product
from rapport.shop.rules import Stock

LONGEST_LIST = 6


@dataclass(frozen=True)
class ProductView:
    """A product as a customer may see it, in one language; the price in minor units of `currency`.

    `label` is its name without the words that only say what it is, for a button. `stock` is None where it is
    not counted. `url` is as the shop gave it, `link` absolute, or None when that cannot be made of it.
    """

    sku: str
    category: str | None
    name: str
    label: str
    description: str
    price_minor: int
    currency: str
    stock: Stock | None
    url: str | None
    link: str | None
    image: str | None


def find(session: Session, skus: Iterable[str], language: str) -> list[ProductView]:
    """The products of these SKUs in this order, without those that don't exist."""
    wanted = list(dict.fromkeys(skus))
    products = repository.products_with_texts(session, wanted)
    return [_view(products[sku], language) for sku in wanted if sku in products]


def of_category(session: Session, category: str, language: str) -> list[ProductView]:
    """The first products of a category, what can be had before what is sold out."""
    return find(session, repository.skus_in(session, category, LONGEST_LIST), language)


def names(session: Session, category: str, language: str) -> list[tuple[str, str]]:
    """(sku, name) of every product of a category, as far as they have one in `language`."""
    return repository.names_in(session, category, language)


def categories(session: Session) -> list[str]:
    """The shop's categories that have products, in the shop's own order."""
    sold = repository.categories_sold(session)
    return [key for key in get_facts().categories if key in sold]


def _view(product: Product, language: str) -> ProductView:
    texts = {text.language: text for text in product.texts}
    spoken = next((x for x in (language, get_facts().language, *texts) if x in texts), None)
    name = texts[spoken].name if spoken else product.sku
    return ProductView(
        sku=product.sku,
        category=product.category,
        name=name,
        label=rules.label(name, [text.name for text in product.texts]),
        description=texts[spoken].description if spoken else "",
        price_minor=product.price_minor,
        currency=product.currency,
        stock=rules.stock_state(product.stock),
        url=product.url,
        link=_link(product.url),
        image=product.image,
    )


def _link(url: str | None) -> str | None:
    """Absolute, as a text needs it; a path is one of the site customers know us by."""
    absolute = urljoin(get_settings().public_url or "", url) if url else ""
    return absolute if absolute.startswith(("https://", "http://")) else None
