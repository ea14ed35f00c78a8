"""The traffic switch: Caddy with a configuration that never changes while the shop is up.

Every upstream is the content of a file, read for each request, so a switch is the rename of a
symbolic link: atomic, and no connection is closed. A service has four listeners: `active` and
`preview` for people, `blue` and `green` for the services that call it. Below switch/SERVICE:

    active -> blue            preview -> green
    blue -> blue.3            green -> green.1        (the third and the first list of instances)
    blue.3/0 ... blue.3/59    each holds host:port; the instances in turn, so that each gets its share
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ecom_platform.clients import caddy
from ecom_platform.clients.processes import accepts
from ecom_platform.clients.supervisor import Program, replace_text
from ecom_platform.platforms.local.layout import Layout, make_private
from ecom_platform.platforms.local.parts import Part
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.platforms.protocol import Colour, Which
from ecom_platform.spec import Service, Shop

NAME = "switch"
LISTENERS: tuple[str, ...] = (*get_args(Which), *get_args(Colour))

SLOTS = 60
"""Upstreams of a listener: divisible by 1 to 6, 10, 12, 15, 20, 30 and 60, so that as many instances
get equal shares; other numbers are off by one part in 60 / n.
"""

TRY_SECONDS = 2
"""An instance that refuses the connection got nothing of the request: another may have it meanwhile."""

IDLE_SECONDS = 15
"""Shorter than servers keep idle connections, so that the server is never the one that hangs up."""


@dataclass(frozen=True)
class Switch:
    """Leads each address of each service to the instances of a colour."""

    layout: Layout
    ports: Ports
    shop: Shop

    def purposes(self) -> list[str]:
        return [f"{each.name}/{listener}" for each in self.shop.services for listener in LISTENERS]

    def address(self, service: str, listener: str) -> str:
        """host:port."""
        return f"127.0.0.1:{self.ports.of(f'{service}/{listener}')}"

    def part(self) -> Part:
        digest = hashlib.sha256(json.dumps(self._config()).encode()).hexdigest()
        program = Program(
            NAME,
            (str(caddy.program()), "run", "--config", str(self._config_file)),
            folder=str(self.layout.switch),
            environment={"XDG_DATA_HOME": str(self._home), "XDG_CONFIG_HOME": str(self._home)},
            stop_seconds=15,
            about={"config": digest},  # another set of services is another program, and is started anew
        )
        return Part(program, ready=lambda: accepts(self.layout.switch_socket), before=self._prepare)

    @property
    def _home(self) -> Path:
        return self.layout.switch / ".caddy"

    @property
    def _config_file(self) -> Path:
        return self.layout.switch / "caddy.json"

    def _prepare(self) -> None:
        self.ports.refuse_taken(*self.purposes())
        make_private(self._home)
        replace_text(self._config_file, json.dumps(self._config(), indent=1))

    def _config(self) -> dict[str, object]:
        servers = {
            f"{service.name}-{listener}": self._server(service.name, listener)
            for service in self.shop.services
            for listener in LISTENERS
        }
        return {
            "admin": {"listen": f"unix/{self.layout.switch_socket}|0600", "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "WARN", "writer": {"output": "stderr"}}}},
            "apps": {"http": {"servers": servers, "grace_period": "10s"}},
        }

    def _server(self, service: str, listener: str) -> dict[str, object]:
        slots = self.layout.switch / service / listener
        proxy = {
            "handler": "reverse_proxy",
            "upstreams": [{"dial": f"{{file.{slots}/{number}}}"} for number in range(SLOTS)],
            "load_balancing": {
                "selection_policy": {"policy": "round_robin"},
                "try_duration": f"{TRY_SECONDS}s",
                "try_interval": "20ms",
            },
            "transport": {
                "protocol": "http",
                "dial_timeout": "1s",
                "keep_alive": {"idle_timeout": f"{IDLE_SECONDS}s", "max_idle_conns_per_host": 256},
            },
        }
        nobody = {
            "handler": "static_response",
            "status_code": "503",
            "headers": {"Content-Type": ["application/json"], "Retry-After": ["1"]},
            "body": json.dumps({"error": {"code": "unavailable", "message": f"no {service} answers ({listener})"}}),
        }
        return {
            "listen": [self.address(service, listener)],
            "protocols": ["h1"],
            "automatic_https": {"disable": True},
            "routes": [{"handle": [proxy]}],
            "errors": {"routes": [{"handle": [nobody]}]},
        }

    def point(self, service: Service, colour: Colour, instances: Sequence[str]) -> None:
        """Make host:port of these the colour's list; none of them stops the colour."""
        folder = make_private(self.layout.switch / service.name)
        link = folder / colour
        before = link.readlink().name if link.is_symlink() else ""
        number = int(before.rpartition(".")[2] or 0) + 1
        fresh = folder / f"{colour}.{number}"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        for slot in range(SLOTS if instances else 0):
            (fresh / str(slot)).write_text(instances[slot % len(instances)], encoding="ascii")
        _lead(link, fresh.name)
        for old in folder.glob(f"{colour}.*"):
            # The one before stays until the next time: a request may be on its way into it.
            if old.name not in (fresh.name, before):
                shutil.rmtree(old)

    def pointed(self, service: Service, colour: Colour) -> list[str]:
        """host:port of the colour's instances."""
        slots = self.layout.switch / service.name / colour
        return list(
            dict.fromkeys(each.read_text() for each in sorted(slots.glob("*"), key=lambda each: int(each.name)))
        )

    def lead(self, service: Service, colour: Colour) -> None:
        """Lead the active address to the colour and the preview address to the other."""
        folder = make_private(self.layout.switch / service.name)
        _lead(folder / "active", colour)
        _lead(folder / "preview", other(colour))

    def preview(self, service: Service, colour: Colour) -> None:
        """Lead the preview address alone to the colour, before there is an active one."""
        _lead(make_private(self.layout.switch / service.name) / "preview", colour)

    def live(self, service: Service) -> Colour | None:
        link = self.layout.switch / service.name / "active"
        if not link.is_symlink():
            return None
        return "blue" if link.readlink().name == "blue" else "green"


def other(colour: Colour) -> Colour:
    return "green" if colour == "blue" else "blue"


def _lead(link: Path, target: str) -> None:
    """Atomic: a reader follows the old target or the new one."""
    scratch = link.with_name(f".{link.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(target)
    scratch.replace(link)
