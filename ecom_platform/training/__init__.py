"""The four trainings: a scene, a task, and a judge that looks at the state of the world, not at what was typed.

A training is no evidence of the shop: whoever learns breaks things on purpose and fails on the way. So it writes
nothing into the shop's lineage, and its verbs are no runs.
"""
