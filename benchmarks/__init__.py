"""The speed goals: each a ratio or a rate measured side by side in one run. Correctness lives in tests/."""
