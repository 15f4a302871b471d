"""The REST API for the shop's own programs: orders, coupons, points, what a customer is worth."""
