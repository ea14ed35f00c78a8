"""The shop's front door: Caddy with static pages and a way to the backend. `python -m shop.frontend`."""
