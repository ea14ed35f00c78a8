"""What every verb gets: the shop that the spec describes and the settings. Nothing is read before it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.protocol import Platform
from ecom_platform.settings import Settings, read_settings
from ecom_platform.spec import Shop


@dataclass(frozen=True)
class Context:
    """spec: the file of --spec, or None for the settings' own."""

    spec: Path | None = None

    @cached_property
    def settings(self) -> Settings:
        found = read_settings()
        return replace(found, specs=(self.spec.resolve(),)) if self.spec else found

    @cached_property
    def shop(self) -> Shop:
        from ecom_platform.spec_file import read_spec

        if len(self.settings.specs) != 1:
            raise ConfigurationError("choose a shop", "several specs are loaded", "Name one with --spec.")
        return read_spec(self.settings.specs[0])

    @cached_property
    def platform(self) -> Platform:
        from ecom_platform.platforms.opening import open_platform

        return open_platform(self.shop, self.settings.state)
