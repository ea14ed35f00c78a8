"""Fills the shop with made-up products, customers and orders: the same content from the same seed."""
