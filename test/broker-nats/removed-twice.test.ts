import type { NatsBroker } from "@millrace/broker-nats";
import { expect, test } from "vitest";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";
import { describeOnOwnServers } from "./real-server.ts";

async function letterOf(broker: NatsBroker): Promise<number> {
  await broker.queues.ensure("mail");
  const worker = await CollectingWorker.start(broker, "mail");
  await broker.enqueue([jobFor("mail")]);
  const { delivery, envelope } = await worker.nth(1);
  const letter = {
    id: envelope.id,
    queue: "mail",
    reason: "attempts-exhausted" as const,
    attempts: 1,
    at: Date.now(),
    node: "here",
    body: delivery.message.body,
    headers: delivery.message.headers,
  };
  await broker.settle(delivery, [{ do: "bury", letter }, { do: "ack" }]);
  const [stored] = await broker.deadLetters.list();
  return stored?.sequence ?? 0;
}

describeOnOwnServers("what is removed by two", (start) => {
  test("is gone for the second, also where it was its stream's first", async () => {
    await using server = await start();
    const broker = await connected({ servers: server.url });
    const sequence = await letterOf(broker);
    expect(await broker.deadLetters.remove(sequence)).toBe(true);
    expect(await broker.deadLetters.remove(sequence)).toBe(false);
    const documents = await broker.documents("notes");
    const revision = await documents.put("a", 1);
    expect(await documents.erase("a", revision)).toBe(true);
    expect(await documents.erase("a", revision)).toBe(false);
  });
});
