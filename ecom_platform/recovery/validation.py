"""The comprehensive test of a shop that came back: every service, a purchase, every database and its roles."""

from __future__ import annotations

from collections.abc import Iterator

from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Shop
from ecom_platform.validation import purchase
from ecom_platform.validation.database import validate_database
from ecom_platform.validation.service import validate_service
from ecom_platform.verdicts import Verdict


def validate(platform: Platform, shop: Shop) -> Iterator[Verdict]:
    """Every verdict of the stage `validations` that speaks of the shop itself, not of its cluster's walls."""
    for service in shop.services:
        for found in validate_service(platform, service).verdicts.values():
            yield from found
        if service.front_door:
            yield from purchase.buy_one(platform.address(service, "active"))
    for database in shop.databases:
        if database.managed:
            for found in validate_database(platform, database).verdicts.values():
                yield from found
