"""The example shop: its HTTP contract, its data, its behaviour when things go wrong, and its pages."""
