// Records what this version publishes for jobs on their way. Run it for a release that changes what
// is written, and keep the file: node test/reliability/programs/record-version-program.ts
// NATS_SERVER_BINARY > test/reliability/fixtures/published-by-VERSION.json
import { launchServer } from "@millrace/nats-server";
import { connect as connectNats, type Msg } from "@nats-io/transport-node";
import { connect, createNode, defineJob } from "millrace";

const NAMESPACE = "recorded";
const retry = { attempts: 3, base: "50ms" } as const;
const flaky = defineJob<{ fails: number }>({ name: "flaky", queue: "work", retry });
const patient = defineJob<{ fails: number }>({
  name: "patient",
  queue: "work",
  retry: { attempts: 3, base: "2s" },
});

await using server = await launchServer({ path: process.argv[2] ?? "nats-server" });
const options = { servers: server.url, namespace: NAMESPACE };
const heard: Msg[] = [];
const nc = await connectNats({ servers: server.url });
nc.subscribe(`${NAMESPACE}.>`, { callback: (_, message) => void heard.push(message) });

const fail = ({ attempt, input }: { attempt: number; input: { fails: number } }): string => {
  // Without its stack, which names folders of this machine.
  if (attempt <= input.fails)
    throw Object.assign(new Error(`attempt ${attempt} fails`), { stack: undefined });
  return "done";
};
const node = await createNode({ ...options, jobs: [flaky.handler(fail), patient.handler(fail)] });
await node.start();
await using client = await connect(options);
const first = await client.enqueue(flaky, { fails: 0 }, { id: "fresh", priority: "high" });
await first.result({ timeout: "30s" });
const second = await client.enqueue(flaky, { fails: 2 }, { id: "retried" });
await second.result({ timeout: "30s" });
await client.enqueue(patient, { fails: 1 }, { id: "waiting" });
while (!heard.some(({ subject }) => /\.(delayed|due)\.work\.waiting\./.test(subject)))
  await nc.flush();
await node.stop();
await nc.flush();
await nc.close();

const kept = heard.filter(({ subject }) =>
  /^recorded\.(jobs|requeue|delayed|due)\.work/.test(subject),
);
const fixture = {
  server: server.version,
  messages: kept.map(({ subject, headers, data }) => ({
    subject: subject.slice(NAMESPACE.length + 1),
    headers: Object.fromEntries([...(headers ?? [])].map(([name, [value]]) => [name, value])),
    body: Buffer.from(data).toString("base64"),
  })),
};
console.log(JSON.stringify(fixture, null, 2));
