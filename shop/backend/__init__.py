"""The shop's backend: JSON over HTTP, state in PostgreSQL. `python -m shop.backend` runs one instance."""
