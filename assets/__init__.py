"""What exists: one file per stage, in reading order, assets and their checks together.

deployments → validations → backups → restores → benchmarks → reports. A later stage may import an
earlier one, never the reverse. Each file has one function that builds its assets for one shop.
"""
