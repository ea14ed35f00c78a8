"""Recovery and its rehearsal: faults, the write ledger, the stopwatch, the drills. Nothing of Dagster here."""
