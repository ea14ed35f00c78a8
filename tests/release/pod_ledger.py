"""A request ledger in a pod, in the standard library: numbered GETs on connections of their own, as a line each.

Arguments: the address (http://host:port), a path, requests per second, seconds. A line: number, began (seconds of
the clock), status, instance, colour, version, problem. Ends by itself, or by SIGTERM.
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
from urllib.parse import urlsplit

_writing = threading.Lock()


def ask(number: int, netloc: str, path: str) -> None:
    began, status, said, problem = time.time(), 0, {}, ""
    connection = http.client.HTTPConnection(netloc, timeout=10)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        status, said = answer.status, json.loads(answer.read())
        problem = "" if status == 200 else f"status {status}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        problem = f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    line = [number, began, status, said.get("instance", ""), said.get("colour", ""), said.get("version", ""), problem]
    with _writing:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def main() -> None:
    enough = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: enough.set())
    address, path, rate, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    netloc, start, number = urlsplit(address).netloc, time.monotonic(), 0
    while time.monotonic() < start + seconds and not enough.is_set():
        wait = start + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)  # until the next one is due
        threading.Thread(target=ask, args=(number, netloc, path)).start()
        number += 1
    for each in threading.enumerate():
        if each is not threading.current_thread():
            each.join()
    sys.stdout.write(json.dumps({"end": number}) + "\n")


if __name__ == "__main__":
    main()
