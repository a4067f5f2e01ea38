import { decode, encode } from "@msgpack/msgpack";
import { AckPolicy, DeliverPolicy, headers as newHeaders } from "nats";

/** Publishes one job. Publishing again with the same id is safe: `ack.duplicate` says so. */
export async function enqueue(js, queue, job, options = {}) {
  const { headers = {}, format = "msgpack", namespace = "millrace" } = options;
  const head = newHeaders();
  for (const [name, value] of Object.entries(headers)) head.set(name, value);
  if (job.id !== undefined) head.set("Nats-Msg-Id", job.id);
  const body = format === "msgpack" ? encode(job) : new TextEncoder().encode(JSON.stringify(job));
  return js.publish(`${namespace}.jobs.${queue}`, body, { headers: head });
}

/**
 * Waits until the job has ended, and returns the record of it; `undefined` when nothing came in
 * time.
 */
export async function result(js, queue, id, { timeout = 30_000, namespace = "millrace" } = {}) {
  const stream = `${namespace}-history`;
  const jsm = await js.jetstreamManager();
  const { name } = await jsm.consumers.add(stream, {
    filter_subject: `${namespace}.history.${queue}.${id}.*`,
    deliver_policy: DeliverPolicy.Last, // the newest there is, then all that follow
    ack_policy: AckPolicy.None,
  });
  const records = await js.consumers.get(stream, name);
  for (;;) {
    const message = await records.next({ expires: timeout });
    if (message === null) return undefined;
    const record = decode(message.data);
    if (record.state !== "requeued") return record;
  }
}
