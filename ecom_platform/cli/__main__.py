"""`python -m ecom_platform.cli`: the same as `ecom`."""

from ecom_platform.cli.main import main

main()
