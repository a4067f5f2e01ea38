"""Reads commands as JSON lines and answers each with one; see ../../driver.ts."""

import asyncio
import json
import sys

import nats
from enqueue import enqueue, result


async def answer(js, command):
    namespace, queue = command["namespace"], command["queue"]
    if command["do"] == "result":
        record = await result(js, queue, command["id"], namespace=namespace)
        return {"state": record["state"], "output": record.get("output"), "attempts": record["attempts"]}
    ack = await enqueue(js, queue, command["job"], command["headers"], command["format"], namespace)
    return {"stream": ack.stream, "sequence": ack.seq, "duplicate": ack.duplicate is True}


async def main():
    nc = await nats.connect(sys.argv[1], max_reconnect_attempts=1)
    js = nc.jetstream()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            reply = await answer(js, json.loads(line))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)
    await nc.close()


asyncio.run(main())
