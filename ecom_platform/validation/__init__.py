"""The comprehensive test after a deploy: looks at a running shop from outside and gives verdicts."""
