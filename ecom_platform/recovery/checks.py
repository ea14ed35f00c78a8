"""What each drill proves, by name, and its variants. Only texts, so that definitions load fast."""

from __future__ import annotations

DATABASE_LOST = "database-lost"
DATABASE_VARIANTS = ("dropped-table", "deleted-rows", "corrupted-page", "volume-gone", "server-gone")
"""The faults of faults.py; a test compares them."""

COMMON = {
    "in_time": "from the fault to the first good purchase within the budget",
    "validated": "the comprehensive test passed after the recovery, a purchase included",
    "cleaned_up": "nothing of the copy is left",
}
NOTICED = {"detected": "the platform's own probes noticed the fault"}
LEDGER = {"ledger": "of the orders that were acknowledged only those after the snapshot are lost, and none unseen"}
NOTHING_LOST = {"ledger": "every order that was acknowledged is there, once"}

DATABASE_CHECKS = {
    **NOTICED,
    "recovered": "the newest proved snapshot from before the damage restored at once and is equal, row for row",
    "kept_aside": "what was damaged is kept under another name, never overwritten",
    **LEDGER,
    **COMMON,
}

MACHINE_LOST = "machine-lost"
MACHINE_CHECKS = {
    **NOTICED,
    "recovered": "from the store and the private key alone, in an empty folder and an empty environment",
    **LEDGER,
    **COMMON,
}
MEDIA_LOST = "media-lost"
MEDIA_CHECKS = {
    **NOTICED,
    "recovered": "the newest proved snapshot of the folder is back, equal to its list, file by file",
    "kept_aside": "what was left of the folder is kept under another name",
    **NOTHING_LOST,
    **COMMON,
}
CONFIGURATION_LOST = "configuration-lost"
CONFIGURATION_CHECKS = {
    **NOTICED,
    "recovered": "the spec came back from its newest proved snapshot, and the platform works from it",
    **NOTHING_LOST,
    **COMMON,
}
KEY_LOST = "key-lost"
KEY_CHECKS = {
    **NOTICED,
    "recovered": "the second recipient's key opens the newest snapshot, seen by restoring it; new ones open too",
    **NOTHING_LOST,
    **COMMON,
}
STORE_UNREACHABLE = "store-unreachable"
STORE_CHECKS = {
    **NOTICED,
    "alarm": "the dump that one store did not take is red, and names that store",
    "recovered": "the other store took it, and it restores from there; when the store is back, both take the next",
    **NOTHING_LOST,
    **COMMON,
}

NODE_LOST = "node-lost"
NODE_CHECKS = {
    **NOTICED,
    "fenced": "the dead node was fenced before the database's volume was used on another one",
    "recovered": "the database and every service run on other nodes",
    **NOTHING_LOST,
    "node_back": "the node came back, ready and without the fence",
    **COMMON,
}

BAD_RELEASE = "bad-release"
RELEASE_CHECKS = {
    **NOTICED,
    "recovered": "the release turned back by itself, and the version before serves",
    **NOTHING_LOST,
    **COMMON,
}
