"""What is demanded of files before anything runs: manifests, images, pipelines. `python -m gates NAME`.

No shop, no cluster, no Dagster. Programs come from `.tools` (`make tools`), helm from the PATH or from there.
A gate that could not look is inconclusive, which is never a pass.
"""
