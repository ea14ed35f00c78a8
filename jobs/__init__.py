"""Named things that a person, a timer or CI may start: selections and config only, no logic."""
