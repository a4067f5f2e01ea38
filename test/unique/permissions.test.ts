import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { connectBroker } from "@millrace/broker-nats";
import { brokerOutlet, Producer, systemClock } from "@millrace/core";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { indexJob, QUEUE, RULES } from "./index-job.ts";

const NAMESPACE = "millrace";

describeEachServer(
  "a producer with the rights that the page names, and no others",
  (server) => {
    it("claims keys, learns who holds them, and finds out about a claim of unknown fate", async () => {
      const job = indexJob(RULES.running);
      const open = Promise.withResolvers<void>();
      cleanUpLater(() => open.resolve());
      await startNodeOnServer(server, {
        namespace: NAMESPACE,
        jobs: [job.handler(() => open.promise)],
      });
      const broker = await connectBroker({
        servers: server.url.replace("nats://", "nats://producer:secret@"),
        namespace: NAMESPACE,
      });
      cleanUpLater(() => broker.close());
      const producer = new Producer(brokerOutlet(broker, systemClock), systemClock);
      const enqueue = (version: number) =>
        producer.enqueue(job, { doc: "a", version }, { id: `v${version}` });
      expect(await enqueue(1)).toMatchObject({ id: "v1", duplicate: false });
      expect(await enqueue(2)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
      expect(await broker.findWaiting("v1", { queue: QUEUE })).toMatchObject({ state: "queued" });
      expect(await broker.findWaiting("v2", { queue: QUEUE })).toBeUndefined();
      open.resolve();
      let version = 2;
      await eventually(async () => !(await enqueue((version += 1))).duplicate, {
        withinMs: 20_000,
        describe: "the key is free",
      });
      // In a cluster the verdict takes 27 s of the 30 that a publish has, and an outage of its
      // connection would take the rest.
      await server.calm();
      await expect(
        producer.enqueue({ ...job, queue: "nowhere" }, { doc: "b", version: 1 }),
      ).rejects.toMatchObject({ code: "queue-not-found" });
    });
  },
  { config: restricted() },
);

/** The permissions of both pages, for everyone but the node. */
function restricted(): string {
  const publish = [
    ...listed("wire-protocol.md", /## Permissions of a producer\n(.*?)Leave out/s),
    ...listed("unique.md", /## Permissions\n(.*?)A producer that\n?\s*only/s),
  ];
  return `authorization { users: [
  { user: node, password: node }
  { user: producer, password: secret, permissions: { publish: ${JSON.stringify(publish)}, subscribe: ["_INBOX.>"] } }
] }
no_auth_user: node`;
}

function listed(page: string, section: RegExp): readonly string[] {
  const text = readFileSync(resolve(import.meta.dirname, "../../docs", page), "utf8");
  const [, list = ""] = section.exec(text) ?? [];
  return [...list.matchAll(/`([^`]+)`/g)]
    .map(([, subject = ""]) => subject.replace("<ns>", NAMESPACE).replace("<queue>", QUEUE))
    .filter((subject) => subject !== "_INBOX.>");
}
