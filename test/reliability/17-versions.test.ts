import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect, createNode, defineJob } from "millrace";
import { expect, it, onTestFinished } from "vitest";
import { bareClient } from "../harness/bare-client.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { patient as withElections } from "../harness/cluster/mode.ts";

/**
 * What 0.1.0 put on the wire: programs/record-version-program.ts wrote these files. They are never
 * written anew.
 */
interface Published {
  readonly server: string;
  readonly messages: readonly {
    readonly subject: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }[];
}

const retry = { attempts: 3, base: "50ms" } as const;
const flaky = defineJob<{ fails: number }>({ name: "flaky", queue: "work", retry });
const patient = defineJob<{ fails: number }>({ name: "patient", queue: "work", retry });

describeEachServer("17: two versions", (server) => {
  // Each step of a job alone, as a node of this version finds it when one of 0.1.0 has gone.
  it.each([
    ["jobs.work.high", "fresh", 1],
    ["jobs.work", "retried", 3],
    ["requeue.work", "retried", 3],
    ["due.work.retried.1", "retried", 3],
    ["due.work.retried.2", "retried", 3],
    ["waiting", "waiting", 2],
  ] as const)("runs what 0.1.0 left on %s", async (subject, id, attempts) => {
    const { options, client, publish } = await version(server);
    await startNode(options, ["flaky", "patient"]);
    const file = `fixtures/published-by-0.1.0-${server.generation}.json`;
    const published = JSON.parse(
      readFileSync(join(import.meta.dirname, file), "utf8"),
    ) as Published;
    const message = published.messages.find((one) =>
      subject === "waiting"
        ? /^(delayed|due)\.work\.waiting\./.test(one.subject)
        : one.subject === subject,
    );
    if (message === undefined) throw new Error(`${file} has no message on ${subject}`);
    await publish(message.subject, Buffer.from(message.body, "base64"), message.headers);
    expect(await client.handle(id, "work").result({ timeout: withElections(20_000) })).toBe("done");
    const { attempts: counted } = await client.job(id, { queue: "work" });
    expect(counted).toBe(attempts);
  });

  it("jobs that only the newer nodes know, and envelopes of a later protocol, are not lost", async () => {
    const { options, client, publish } = await version(server);
    const old = await startNode(options, ["flaky"]);
    const added = Array.from({ length: 20 }, (_, n) => `added-${n}`);
    for (const id of added) await client.enqueue(patient, { fails: 0 }, { id });
    const later = { v: 2, id: "later", name: "flaky", payload: { fails: 0 }, novel: [1] };
    await publish("jobs.work", Buffer.from(JSON.stringify(later)), { "Nats-Msg-Id": "later" });
    const dead = await eventually(
      async () => {
        const letters = await client.dead.list({ queue: "work" });
        return letters.length === added.length + 1 ? letters : undefined;
      },
      { withinMs: 20_000, describe: "all that the old node can't run is among the dead letters" },
    );
    expect(new Set(dead.map(({ reason }) => reason))).toEqual(
      new Set(["unknown-name", "unsupported-version"]),
    );

    await startNode(options, ["flaky", "patient"]);
    await old.stop();
    const retried = await client.dead.retry({ queue: "work", reason: "unknown-name" });
    expect(retried.every(({ ok }) => ok)).toBe(true);
    for (const id of added)
      expect(await client.handle(id, "work").result({ timeout: withElections(20_000) })).toBe(
        "done",
      );
    expect((await client.dead.list({ queue: "work" })).map(({ id }) => id)).toEqual(["later"]);
  });

  it("a field that this version does not know changes nothing", async () => {
    const { options, client, publish } = await version(server);
    await startNode(options, ["flaky"]);
    const job = { v: 1, id: "novel", name: "flaky", payload: { fails: 1 }, novel: { deep: [1] } };
    await publish("jobs.work", Buffer.from(JSON.stringify(job)), {
      "Millrace-Novel": "1",
      "Nats-Msg-Id": "novel",
    });
    expect(await client.handle("novel", "work").result({ timeout: withElections(20_000) })).toBe(
      "done",
    );
  });
});

type Options = Readonly<Record<"servers" | "namespace", string>>;

async function startNode(options: Options, names: readonly string[]) {
  const run = ({ attempt, input }: { attempt: number; input: { fails: number } }): string => {
    if (attempt <= input.fails) throw new Error(`attempt ${attempt} fails`);
    return "done";
  };
  const jobs = [flaky.handler(run), patient.handler(run)].filter(({ name }) =>
    names.includes(name),
  );
  const node = await createNode({ ...options, jobs });
  onTestFinished(() => node.stop());
  await node.start();
  return node;
}

async function version(server: TestServer) {
  const options = { servers: server.url, namespace: server.namespace() };
  const client = await connect(options);
  onTestFinished(() => client.close());
  const bare = await bareClient(server);
  const publish = async (
    subject: string,
    body: Uint8Array,
    recorded: Readonly<Record<string, string>>,
  ): Promise<void> => {
    const headers = Object.fromEntries(
      Object.entries(recorded).map(([name, value]) => [
        name,
        value.replace(/^recorded\./, `${options.namespace}.`),
      ]),
    );
    const ack = await bare.publish(`${options.namespace}.${subject}`, body, headers);
    expect(ack).toMatchObject({ seq: expect.any(Number) as number });
  };
  return { options, client, publish };
}
