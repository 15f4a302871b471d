"""What people do on the shop's site, once they agreed to that, and who waits for a product."""
