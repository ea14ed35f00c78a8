"""Velero's backups, judged and proved as the platform's own: what it calls Completed is a claim, not a proof."""
