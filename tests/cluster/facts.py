"""Reads what facts.sh saw in a container, and says what of it breaks the rules."""

from __future__ import annotations

from collections.abc import Mapping


def read(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def broken(facts: Mapping[str, str], *, user: int = 1000, token: bool = False) -> list[str]:
    """The rules that a container breaks; empty when all hold. user: whose process it must be."""
    quota = facts["Cpu"].split()[0]
    rules = {
        f"runs as user {facts['Uid'].split()[0]}": set(facts["Uid"].split()) != {str(user)},
        f"has capabilities {facts['CapEff']}": int(facts["CapEff"], 16) != 0,
        f"may get capabilities {facts['CapBnd']}": int(facts["CapBnd"], 16) != 0,
        "may gain privileges": facts["NoNewPrivs"] != "1",
        "has no seccomp filter": facts["Seccomp"] != "2",
        "has a writable root": facts["Root"] != "read-only",
        "wrote to its root": facts["Write"] != "refused",
        "has no limit of memory": not facts["Memory"].isdigit() or int(facts["Memory"]) > 2**40,
        "has no limit of CPU": not quota.isdigit(),
        "sees a token" if not token else "sees no token": (facts["Token"] == "mounted") != token,
    }
    return [rule for rule, is_broken in rules.items() if is_broken]


def memory(facts: Mapping[str, str]) -> int:
    """The cgroup's limit in bytes."""
    return int(facts["Memory"])


def cpu(facts: Mapping[str, str]) -> float:
    """The cgroup's limit in cores."""
    quota, period = facts["Cpu"].split()
    return int(quota) / int(period)
