"""Shops that send webhooks as WooCommerce and Shopify do: their headers, signatures, bodies and habits."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

import httpx

WOO_SECRET = "woo &<secret>; 0123456789-0123456789"
SHOPIFY_SECRET = "shpss_0123456789abcdef0123456789abcdef"

WOO_ORDER: dict[str, Any] = {
    "id": 7301,
    "parent_id": 0,
    "status": "on-hold",
    "currency": "NOK",
    "version": "10.3.4",
    "prices_include_tax": True,
    "date_created": "2026-05-04T09:30:00",
    "date_modified": "2026-05-04T09:30:04",
    "discount_total": "119.92",
    "discount_tax": "29.98",
    "shipping_total": "79.20",
    "shipping_tax": "19.80",
    "cart_tax": "269.82",
    "total": "1448.10",
    "total_tax": "289.62",
    "customer_id": 88,
    "order_key": "wc_order_Q4vX0tq1rZ9sE",
    "billing": {
        "first_name": "Kari",
        "last_name": "Nordmann",
        "company": "",
        "address_1": "Storgata 1",
        "address_2": "",
        "city": "Tromsø",
        "state": "",
        "postcode": "9008",
        "country": "NO",
        "email": "Kari.Nordmann@customer.example",
        "phone": "912 34 567",
    },
    "shipping": {"first_name": "Kari", "last_name": "Nordmann", "country": "NO", "phone": ""},
    "payment_method": "bacs",
    "payment_method_title": "Bankoverføring",
    "transaction_id": "",
    "customer_ip_address": "203.0.113.9",
    "customer_user_agent": "Mozilla/5.0",
    "created_via": "checkout",
    "customer_note": "",
    "date_completed": None,
    "date_paid": None,
    "cart_hash": "7f8b3c6a0d",
    "number": "7301",
    "meta_data": [{"id": 91, "key": "is_vat_exempt", "value": "no"}],
    "line_items": [
        {
            "id": 411,
            "name": "Fjelltelt 2",
            "product_id": 93,
            "variation_id": 0,
            "quantity": 1,
            "tax_class": "",
            "subtotal": "959.20",
            "subtotal_tax": "239.80",
            "total": "863.28",
            "total_tax": "215.82",
            "taxes": [{"id": 3, "total": "215.82", "subtotal": "239.8"}],
            "meta_data": [],
            "sku": "FJ-TENT-2",
            "price": 863.28,
            "image": {"id": "", "src": ""},
            "parent_name": None,
        },
        {
            "id": 412,
            "name": "Flaske - Blå",
            "product_id": 95,
            "variation_id": 961,
            "quantity": 3,
            "tax_class": "",
            "subtotal": "240.00",
            "subtotal_tax": "60.00",
            "total": "216.00",
            "total_tax": "54.00",
            "taxes": [{"id": 3, "total": "54", "subtotal": "60"}],
            "meta_data": [{"id": 7001, "key": "pa_farge", "value": "bla"}],
            "sku": "",
            "price": 72,
            "parent_name": "Flaske",
        },
    ],
    "tax_lines": [{"id": 414, "rate_code": "NO-MVA-1", "rate_id": 3, "label": "MVA", "compound": False}],
    "shipping_lines": [
        {"id": 413, "method_title": "Hjemlevering", "method_id": "flat_rate", "total": "79.20"}
    ],
    "fee_lines": [],
    "coupon_lines": [],
    "refunds": [],
    "payment_url": "https://shop.example/kassen/order-pay/7301/",
    "is_editable": True,
    "needs_payment": False,
    "needs_processing": True,
    "date_created_gmt": "2026-05-04T07:30:00",
    "date_modified_gmt": "2026-05-04T07:30:04",
    "date_completed_gmt": None,
    "date_paid_gmt": None,
    "currency_symbol": "kr",
    "_links": {"self": [{"href": "https://shop.example/wp-json/wc/v3/orders/7301"}]},
}

SHOPIFY_ORDER: dict[str, Any] = {
    "id": 6120498823442,
    "admin_graphql_api_id": "gid://shopify/Order/6120498823442",
    "app_id": 580111,
    "browser_ip": "203.0.113.9",
    "buyer_accepts_marketing": False,
    "cancel_reason": None,
    "cancelled_at": None,
    "closed_at": None,
    "confirmed": True,
    "contact_email": "kari.nordmann@customer.example",
    "created_at": "2026-05-04T09:30:02+02:00",
    "currency": "NOK",
    "current_subtotal_price": "1349.10",
    "current_total_discounts": "149.90",
    "current_total_price": "1448.10",
    "customer_locale": "nb-NO",
    "discount_codes": [],
    "email": "kari.nordmann@customer.example",
    "financial_status": "pending",
    "fulfillment_status": None,
    "name": "#1042",
    "note": None,
    "note_attributes": [],
    "number": 42,
    "order_number": 1042,
    "payment_gateway_names": ["vipps"],
    "phone": None,
    "presentment_currency": "NOK",
    "processed_at": "2026-05-04T09:30:00+02:00",
    "source_name": "web",
    "subtotal_price": "1349.10",
    "tags": "",
    "taxes_included": True,
    "test": False,
    "total_discounts": "149.90",
    "total_line_items_price": "1499.00",
    "total_outstanding": "1448.10",
    "total_price": "1448.10",
    "total_shipping_price_set": {"shop_money": {"amount": "99.00", "currency_code": "NOK"}},
    "total_tax": "289.62",
    "updated_at": "2026-05-04T09:30:03+02:00",
    "billing_address": {"first_name": "Kari", "name": "Kari Nordmann", "country_code": "NO"},
    "customer": {
        "id": 8112245506,
        "email": "kari.nordmann@customer.example",
        "first_name": "Kari",
        "last_name": "Nordmann",
        "state": "disabled",
        "verified_email": True,
        "phone": "+4791234567",
        "currency": "NOK",
        "default_address": {"country_code": "NO", "default": True},
    },
    "discount_applications": [],
    "fulfillments": [],
    "line_items": [
        {
            "id": 15442309841106,
            "current_quantity": 1,
            "fulfillable_quantity": 1,
            "fulfillment_status": None,
            "gift_card": False,
            "grams": 2400,
            "name": "Fjelltelt 2",
            "price": "1199.00",
            "product_id": 8844120016,
            "quantity": 1,
            "requires_shipping": True,
            "sku": "FJ-TENT-2",
            "taxable": True,
            "title": "Fjelltelt 2",
            "total_discount": "0.00",
            "variant_id": 4700123,
            "discount_allocations": [{"amount": "119.90", "discount_application_index": 0}],
        },
        {
            "id": 15442309873874,
            "current_quantity": 3,
            "fulfillable_quantity": 3,
            "fulfillment_status": None,
            "gift_card": False,
            "name": "Flaske - Blå",
            "price": "100.00",
            "product_id": 8844120032,
            "quantity": 3,
            "requires_shipping": True,
            "sku": None,
            "title": "Flaske",
            "variant_id": 4700961,
            "variant_title": "Blå",
        },
    ],
    "refunds": [],
    "shipping_address": {"first_name": "Kari", "name": "Kari Nordmann", "country_code": "NO"},
}


def woo_order(**changes: Any) -> dict[str, Any]:
    return deepcopy(WOO_ORDER) | changes


def shopify_order(**changes: Any) -> dict[str, Any]:
    return deepcopy(SHOPIFY_ORDER) | changes


def shopify_refund(refund_id: int, amount: str, at: str = "2026-05-20T10:00:00+02:00") -> dict[str, Any]:
    """A refund as Shopify tells of it, in the order and on its own."""
    return {
        "id": refund_id,
        "order_id": SHOPIFY_ORDER["id"],
        "created_at": at,
        "processed_at": at,
        "note": "Too small",
        "user_id": 548380009,
        "restock": True,
        "refund_line_items": [],
        "order_adjustments": [],
        "transactions": [
            {
                "id": refund_id + 1,
                "order_id": SHOPIFY_ORDER["id"],
                "kind": "refund",
                "gateway": "vipps",
                "status": "success",
                "amount": amount,
                "currency": "NOK",
                "parent_id": 7,
            },
            {"id": refund_id + 2, "kind": "refund", "status": "failure", "amount": "9.00", "currency": "NOK"},
        ],
    }


def shopify_fulfillment(**changes: Any) -> dict[str, Any]:
    """A parcel with the whole order."""
    lines = [{"id": line["id"], "quantity": line["quantity"]} for line in SHOPIFY_ORDER["line_items"]]
    return {
        "id": 5510023,
        "order_id": SHOPIFY_ORDER["id"],
        "status": "success",
        "created_at": "2026-05-05T08:00:00+02:00",
        "updated_at": "2026-05-05T08:00:00+02:00",
        "service": "manual",
        "tracking_company": "Posten",
        "tracking_number": "70730259042",
        "tracking_numbers": ["70730259042"],
        "shipment_status": None,
        "location_id": 655441491,
        "line_items": lines,
        "name": "#1042.1",
        "email": "kari.nordmann@customer.example",
    } | changes


def sign(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


class WooCommerce:
    """A shop with WooCommerce. It never sends a failed delivery again, and counts failures instead."""

    def __init__(self, client: httpx.Client, secret: str = WOO_SECRET) -> None:
        self._client = client
        self._secret = secret
        self.webhook_id = 14

    def ping(self) -> httpx.Response:
        """What it sends when a webhook is made: a form, without a signature."""
        return self._client.post("/webhooks/woocommerce", data={"webhook_id": self.webhook_id})

    def send(
        self, topic: str, payload: Any, delivery_id: str | None = None, **headers: str
    ) -> httpx.Response:
        # PHP's json_encode escapes slashes and everything beyond ASCII.
        body = json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()
        resource, _, event = topic.partition(".")
        sent = {
            "User-Agent": "WooCommerce/10.3.4 Hookshot (WordPress/6.9)",
            "Content-Type": "application/json",
            "X-WC-Webhook-Source": "https://shop.example/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": sign(self._secret, body),
            "X-WC-Webhook-ID": str(self.webhook_id),
            "X-WC-Webhook-Delivery-ID": delivery_id or uuid4().hex,
        }
        return self._client.post("/webhooks/woocommerce", content=body, headers=sent | headers)


class Shopify:
    """A shop with Shopify. It sends again, with the same id, until it is acknowledged."""

    def __init__(self, client: httpx.Client, secret: str = SHOPIFY_SECRET) -> None:
        self._client = client
        self._secret = secret

    def send(
        self, topic: str, payload: Any, webhook_id: UUID | None = None, **headers: str
    ) -> httpx.Response:
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        sent = {
            "User-Agent": "Shopify-Captain-Hook",
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": sign(self._secret, body),
            "X-Shopify-Shop-Domain": "fjordly.myshopify.com",
            "X-Shopify-API-Version": "2026-04",
            "X-Shopify-Webhook-Id": str(webhook_id or uuid4()),
            "X-Shopify-Event-Id": str(uuid4()),
            "X-Shopify-Triggered-At": "2026-05-04T07:30:03.123456789Z",
        }
        return self._client.post("/webhooks/shopify", content=body, headers=sent | headers)
