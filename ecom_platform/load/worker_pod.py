"""What runs in the pods of load workers: `python -m ecom_platform.load.worker_pod PORT`.

Whoever connects gets a worker (worker.py) for one run, as if it were a process of their own.
"""

from __future__ import annotations

import sys

from ecom_platform.clients.line_streams import LineServer

PORT = 9470


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    server = LineServer([sys.executable, "-m", "ecom_platform.load.worker"], port)
    sys.stderr.write(f"a load worker waits on port {server.port}\n")
    server.serve()


if __name__ == "__main__":
    main()
