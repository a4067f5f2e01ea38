import { decode, encode } from "@msgpack/msgpack";
import { headers as newHeaders } from "nats";

/** Publishes one job. Publishing again with the same id is safe: `ack.duplicate` says so. */
export async function enqueue(js, queue, job, options = {}) {
  const { headers = {}, format = "msgpack", namespace = "millrace" } = options;
  const head = newHeaders();
  for (const [name, value] of Object.entries(headers)) head.set(name, value);
  if (job.id !== undefined) head.set("Nats-Msg-Id", job.id);
  const body = format === "msgpack" ? encode(job) : new TextEncoder().encode(JSON.stringify(job));
  return js.publish(`${namespace}.jobs.${queue}`, body, { headers: head });
}

/** Waits until the job has ended, and returns the record of it. */
export async function result(nc, queue, id, { timeout = 30_000, namespace = "millrace" } = {}) {
  const subject = `${namespace}.history.${queue}.${id}.*`;
  const following = nc.subscribe(subject, { timeout }); // listen first, then look
  try {
    const jsm = await nc.jetstreamManager();
    const record = await jsm.streams
      .getMessage(`${namespace}-history`, { last_by_subj: subject })
      .then(
        (message) => decode(message.data),
        (error) => {
          if (error.code !== "404") throw error;
        },
      );
    if (record !== undefined && record.state !== "requeued") return record;
    for await (const message of following) {
      const record = decode(message.data);
      if (record.state !== "requeued") return record;
    }
  } finally {
    following.unsubscribe();
  }
}
