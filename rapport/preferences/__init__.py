"""What people choose about hearing from us, without logging in: pages behind links, subscribing, leaving."""
