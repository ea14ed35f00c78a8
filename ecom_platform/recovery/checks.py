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
DATABASE_CHECKS = {
    "detected": "the platform's own probes noticed the fault",
    "recovered": "the newest proved snapshot from before the damage restored at once and is equal, row for row",
    "kept_aside": "what was damaged is kept under another name, never overwritten",
    "ledger": "of the orders that were acknowledged only those after the snapshot are lost, and none unseen",
    **COMMON,
}
