"""Listens on the ports given as arguments and answers every connection with its own name, until it is ended."""

import asyncio
import os
import sys


async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(os.environ["HOSTNAME"].encode() + b"\n")
    await writer.drain()
    writer.close()


async def main() -> None:
    for port in sys.argv[1:]:
        await asyncio.start_server(answer, "0.0.0.0", int(port))
    print("listening", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
