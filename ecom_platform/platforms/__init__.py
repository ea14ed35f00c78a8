"""Where a shop runs: one protocol, several platforms, one contract test suite for all."""
