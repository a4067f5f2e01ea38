import json

import msgpack
from nats.js.errors import NotFoundError


async def enqueue(js, queue, job, headers=None, format="msgpack", namespace="millrace"):
    """Publishes one job. Publishing again with the same id is safe: ack.duplicate says so."""
    headers = dict(headers or {})
    if "id" in job:
        headers["Nats-Msg-Id"] = job["id"]
    body = msgpack.packb(job) if format == "msgpack" else json.dumps(job).encode()
    return await js.publish(f"{namespace}.jobs.{queue}", body, headers=headers)


async def result(nc, queue, id, timeout=30, namespace="millrace"):
    """Waits until the job has ended, and returns the record of it."""
    subject = f"{namespace}.history.{queue}.{id}.*"
    following = await nc.subscribe(subject)  # listen first, then look
    try:
        try:
            stream = f"{namespace}-history"
            message = await nc.jetstream().get_last_msg(stream, subject)
        except NotFoundError:
            message = await following.next_msg(timeout)
        record = msgpack.unpackb(message.data)
        while record["state"] == "requeued":
            record = msgpack.unpackb((await following.next_msg(timeout)).data)
        return record
    finally:
        await following.unsubscribe()
