"""Products as customers see them, and recommendations with their reasons, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import Settings, get_settings
from rapport.shop import products, recommendations, repository, rules
from rapport.shop.models import Order, OrderItem, Product, ProductText
from rapport.shop.recommendations import recommend

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
# sku: category, stock
SOLD: dict[str, tuple[str | None, int | None]] = {
    "T1": ("tents", 9),
    "T2": ("tents", 9),
    "T3": ("tents", 0),
    "T4": ("tents", None),
    "B1": ("boots", 9),
    "B2": ("boots", 3),
    "X1": (None, 9),
}


@pytest.fixture(autouse=True)
def now() -> object:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def shop(session: Session) -> Session:
    for sku, (category, stock) in SOLD.items():
        product = Product(sku=sku, category=category, price_minor=10000, currency="NOK", stock=stock)
        product.texts = [
            ProductText(language=x, name=f"{sku} in {x}", description=f"{sku}!") for x in LANGUAGES
        ]
        session.add(product)
    session.flush()
    return session


def bought(
    session: Session, *skus: str, by: int | None = None, days_ago: int = 10, status: str = "delivered"
) -> int:
    """Someone's order; returns the customer's id."""
    if by is None:
        customer = Customer()
        session.add(customer)
        session.flush()
        by = customer.id
    ids = {product.sku: product.id for product in session.query(Product)}
    number = str(session.query(Order).count())
    order = Order(source="t", number=number, customer_id=by, status=status, currency="NOK", total_minor=1)
    order.placed_at = NOW - timedelta(days=days_ago)
    order.items = [
        OrderItem(line=line, sku=sku, product_id=ids[sku], quantity=1, unit_price_minor=1)
        for line, sku in enumerate(skus)
    ]
    session.add(order)
    session.flush()
    return by


def advised(session: Session, **given: object) -> tuple[str, str, list[str]] | None:
    arguments = {"customer_id": None, "interests": []} | given
    found = recommend(session, "en", **arguments)  # type: ignore[arg-type]
    return found and (found.reason, found.about, [product.sku for product in found.products])


def test_products_are_found_in_the_order_asked_for(shop: Session) -> None:
    found = products.find(shop, ["B1", "none", "T1", "B1"], "nb")
    assert [product.name for product in found] == ["B1 in nb", "T1 in nb"]
    assert (found[0].stock, found[0].description, found[0].category) == ("in_stock", "B1!", "boots")


def test_a_product_without_texts_in_the_language(shop: Session) -> None:
    product = Product(sku="N1", price_minor=1, currency="NOK")
    product.texts = [ProductText(language="ro", name="Cort")]
    shop.add_all([product, Product(sku="N2", price_minor=1, currency="NOK")])
    shop.flush()
    assert [product.name for product in products.find(shop, ["N1", "N2"], "es")] == ["Cort", "N2"]


def test_a_category_shows_what_can_be_had_first(shop: Session) -> None:
    assert [product.sku for product in products.of_category(shop, "tents", "en")] == ["T1", "T2", "T4", "T3"]
    assert products.of_category(shop, "skiing", "en") == []
    assert products.categories(shop) == ["tents", "boots"]


@pytest.mark.parametrize(
    ("url", "public", "link"),
    [
        (None, "https://shop.example", None),
        ("https://a.example/x", None, "https://a.example/x"),
        ("/#T1", None, None),
        ("/#T1", "https://shop.example", "https://shop.example/#T1"),
        ("javascript:alert(1)", "https://shop.example", None),
    ],
)
def test_links(
    shop: Session,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    url: str | None,
    public: str | None,
    link: str | None,
) -> None:
    if public:
        monkeypatch.setenv("RAPPORT_PUBLIC_URL", public)
    get_settings.cache_clear()
    product = repository.product_by_sku(shop, "T1")
    assert product
    product.url = url
    shop.flush()
    assert products.find(shop, ["T1"], "en")[0].link == link


@pytest.mark.parametrize(
    ("stock", "state"),
    [
        (None, None),
        (-1, "out_of_stock"),
        (0, "out_of_stock"),
        (1, "few_left"),
        (5, "few_left"),
        (6, "in_stock"),
    ],
)
def test_stock_in_words(stock: int | None, state: str | None) -> None:
    assert rules.stock_state(stock) == state


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (("Vidda 2 tunnel tent", "Tienda túnel Vidda 2", "Vidda 2 tunneltelt"), "Vidda 2"),
        (("Storm Käpp jacket", "Chaqueta Storm Kapp"), "Storm Käpp"),
        (("Tent", "Telt"), "Tent"),
        (("Red Mug",), "Red Mug"),
        (("Kopp Duo mugs", "Kopp turkopper"), "Kopp Duo mugs"),
    ],
)
def test_labels(names: tuple[str, ...], label: str) -> None:
    assert rules.label(names[0], names) == label


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("tents", "Tents"),
        ("ámbar", "Ámbar"),
        ("123456789012", "123456789012"),
        ("twelve chars and more", "Twelve chars"),
        ("averyveryverylongword", "Averyveryve…"),
    ],
)
def test_clipped(text: str, short: str) -> None:
    assert rules.clipped(text, 12) == short


def test_what_is_bought_most_of_a_category(shop: Session) -> None:
    for _ in range(3):
        bought(shop, "T2", "B1")
    bought(shop, "T1")
    for sku in ("T3", "T3", "T3", "T3"):
        bought(shop, sku)  # sold out
    for status in ("cancelled", "refunded"):
        for _ in range(5):
            bought(shop, "T4", status=status)
    for _ in range(9):
        bought(shop, "T1", days_ago=400)
    assert advised(shop, category="tents") == ("bought_most", "tents", ["T2", "T1"])


def test_without_sales_it_claims_none(shop: Session) -> None:
    assert advised(shop, category="tents") == ("in_category", "tents", ["T1", "T2", "T4"])
    assert advised(shop, category="skiing") == ("in_category", "skis", [])
    assert advised(shop, category="sofas") is None


def test_what_someone_owns_is_not_recommended_to_them(shop: Session) -> None:
    ann = bought(shop, "T1", days_ago=900)
    bought(shop, "T2", by=ann, status="cancelled")
    assert advised(shop, category="tents", customer_id=ann) == ("in_category", "tents", ["T2", "T4"])
    assert advised(shop, category="tents") == ("in_category", "tents", ["T1", "T2", "T4"])


def test_what_others_bought_along(shop: Session) -> None:
    for _ in range(2):
        bought(shop, "T1", "B1")
    bought(shop, "T1", "X1")  # by one person only
    someone = bought(shop, "T1")
    bought(shop, "B2", by=someone)
    bought(shop, "B2", by=bought(shop, "T1"))
    bought(shop, "B1", by=someone)
    assert advised(shop, sku="T1") == ("others_bought", "T1 in en", ["B1", "B2"])
    assert advised(shop, sku="T1", customer_id=someone) == ("in_category", "tents", ["T2", "T4"])


def test_what_is_of_another_kind_comes_first(shop: Session) -> None:
    for _ in range(3):
        bought(shop, "T1", "T2")
    for _ in range(2):
        bought(shop, "T1", "B1", "X1")
    assert advised(shop, sku="T1") == ("others_bought", "T1 in en", ["B1", "X1", "T2"])


def test_ones_own_orders_are_not_what_others_bought(shop: Session) -> None:
    ann = bought(shop, "T1")
    bought(shop, "T1", "B1", by=ann)
    bought(shop, "T1", "B1")
    assert advised(shop, sku="T1", customer_id=ann) == ("in_category", "tents", ["T2", "T4"])


def test_a_product_nobody_takes_with_others(shop: Session) -> None:
    bought(shop, "T2")
    bought(shop, "T1")
    assert advised(shop, sku="T1") == ("bought_most", "tents", ["T2"])
    assert advised(shop, sku="X1") is None
    assert advised(shop, sku="none") is None


def test_interests_come_before_purchases(shop: Session) -> None:
    ann = bought(shop, "T1")
    for _ in range(2):
        bought(shop, "T1", "B1")
    assert advised(shop, customer_id=ann) == ("others_bought", "T1 in en", ["B1"])
    assert advised(shop, customer_id=ann, interests=["tents"]) == ("liked", "tents", ["T2", "T4"])
    assert advised(shop, customer_id=ann, interests=["nonsense"]) == ("others_bought", "T1 in en", ["B1"])


def test_interests_name_what_led_to_something(shop: Session) -> None:
    bought(shop, "B1")
    found = advised(shop, interests=["skiing", "B2", "tents", "X1"])
    assert found == ("liked", "B2 in en and tents", ["B1", "T1", "T2"])
    assert advised(shop, interests=["skiing"]) is None
    assert advised(shop) is None


def test_between_two(shop: Session) -> None:
    assert recommendations.favourite(shop, ["T1", "T2"], "en") is None
    bought(shop, "T2")
    favourite = recommendations.favourite(shop, ["T1", "T2"], "en")
    assert favourite and favourite.sku == "T2"
    bought(shop, "T1")
    assert recommendations.favourite(shop, ["T1", "T2"], "en") is None


def test_the_questions_are_answered_by_indexes(sqlite_engine: Engine) -> None:
    """In a large shop, reading all orders or lines would take minutes."""
    asked: list[tuple[str, object]] = []
    with Session(sqlite_engine) as session:
        event.listen(
            sqlite_engine, "before_cursor_execute", lambda *a: asked.append((a[2], a[3])), named=False
        )
        repository.bought_most(session, ["tents"], NOW, 100, 3, ["T1"])
        repository.times_bought(session, ["T1", "T2"], NOW, 100)
        repository.bought_along(session, "T1", NOW, 100, 2, 3, ["T2"], 1)
        repository.skus_kept(session, 1)
        repository.skus_to_be_had(session, ["tents"], 3)
        repository.skus_in(session, "tents", 3)
        questions = [pair for pair in asked if pair[0].startswith("SELECT")]
        assert len(questions) == 6
        for question, values in questions:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {question}", values)  # type: ignore[arg-type]
            steps = [row[3] for row in plan]
            assert not [step for step in steps if step.startswith(("SCAN order", "SCAN product"))], steps
