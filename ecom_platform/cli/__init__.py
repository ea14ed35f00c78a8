"""`ecom`: one file per group of verbs, thin. Exit codes: 0 passed, 1 failed, 2 usage or configuration,
3 inconclusive.
"""
