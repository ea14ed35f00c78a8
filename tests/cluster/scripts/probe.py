"""Tries every address of the JSON list [[host, port], ...] in argument 1 at once; prints what each said.

"open", "refused", "timeout" (nothing came back in 3 s), or the error's name. Then whether a name resolves.
"""

import asyncio
import json
import socket
import sys

SECONDS = 3.0
NAME = "kubernetes.default.svc.cluster.local"


async def attempt(host: str, port: int) -> str:
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return "timeout"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return type(error).__name__
    writer.close()
    return "open"


async def resolves() -> str:
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.get_running_loop().getaddrinfo(NAME, 443, type=socket.SOCK_STREAM)
    except TimeoutError:
        return "timeout"
    except OSError:
        return "refused"
    return "open"


async def main() -> None:
    targets = json.loads(sys.argv[1])
    said = await asyncio.gather(*(attempt(host, port) for host, port in targets), resolves())
    print(json.dumps(said))


asyncio.run(main())
