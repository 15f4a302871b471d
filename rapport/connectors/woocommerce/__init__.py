"""WooCommerce: what its webhooks say."""
