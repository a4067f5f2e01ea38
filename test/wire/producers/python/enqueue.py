import json

import msgpack
from nats.js.api import DeliverPolicy


async def enqueue(js, queue, job, headers=None, format="msgpack", namespace="millrace"):
    """Publishes one job. Publishing again with the same id is safe: ack.duplicate says so."""
    headers = dict(headers or {})
    if "id" in job:
        headers["Nats-Msg-Id"] = job["id"]
    body = msgpack.packb(job) if format == "msgpack" else json.dumps(job).encode()
    return await js.publish(f"{namespace}.jobs.{queue}", body, headers=headers)


async def result(js, queue, id, timeout=30, namespace="millrace"):
    """Waits until the job has ended, and returns the record of it."""
    records = await js.subscribe(
        f"{namespace}.history.{queue}.{id}.*",
        stream=f"{namespace}-history",
        ordered_consumer=True,
        deliver_policy=DeliverPolicy.LAST,  # the newest there is, then all that follow
    )
    try:
        while True:
            record = msgpack.unpackb((await records.next_msg(timeout)).data)
            if record["state"] != "requeued":
                return record
    finally:
        await records.unsubscribe()
