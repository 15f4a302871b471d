"""Shopify: what its webhooks say."""
