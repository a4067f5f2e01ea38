// Reads commands as JSON lines and answers each with one; see ../../driver.ts.
import { createInterface } from "node:readline";
import { connect } from "nats";
import { enqueue, result } from "./enqueue.mjs";

const { host, username, password } = new URL(process.argv[2]);
const user = username === "" ? {} : { user: username, pass: password };
const nc = await connect({ servers: host, maxReconnectAttempts: 1, ...user });
const js = nc.jetstream();
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    console.log(JSON.stringify(await answer(command)));
  } catch (error) {
    const detail = error.api_error === undefined ? error.message : error.api_error.description;
    console.log(JSON.stringify({ error: `${error.code}: ${detail}` }));
  }
}
await nc.close();

async function answer({ do: what, namespace, queue, id, job, headers, format }) {
  if (what === "result") {
    const { state, output, attempts } = await result(js, queue, id, { namespace });
    return { state, output, attempts };
  }
  const ack = await enqueue(js, queue, job, { headers, format, namespace });
  return { stream: ack.stream, sequence: ack.seq, duplicate: ack.duplicate === true };
}
