import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeadLetter } from "@millrace/core";
import { launchServer } from "@millrace/nats-server";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeEachServer, nameOf, serversUnderTest } from "../harness/servers.ts";
import { CollectingWorker } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

/** More than are read one by one. */
const SMALL = 215;

function letter(id: string, size: number): DeadLetter {
  return {
    ...{ id, name: "bill", queue: "q", reason: "fatal", attempts: 1, at: 1, node: "here" },
    ...{ sequence: 1, firstStoredAt: 1, headers: {}, body: new Uint8Array(size) },
  };
}

const sized = (sizes: readonly number[]): DeadLetter[] =>
  sizes.map((size, at) => letter(`j-${at}`, size));

describeEachServer("a list of large dead letters", (server) => {
  test("comes whole, though the server is asked for a few megabytes at a time", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    await CollectingWorker.start(broker, "q");
    const letters = sized([
      ...Array.from({ length: SMALL }, () => 10),
      ...Array.from({ length: 30 }, () => 900_000),
      ...Array.from({ length: 5 }, () => 10),
    ]);
    for (const one of letters) await broker.deadLetters.add(one, "once");

    const listed = await broker.deadLetters.list({ limit: 1_000 });

    expect(listed.map(({ id }) => id)).toEqual(letters.map(({ id }) => id));
  });
});

for (const target of serversUnderTest()) {
  const path = target.state === "present" ? target.path : "";
  describe.skipIf(target.state === "missing")(`stored letters (${nameOf(target)})`, () => {
    test("larger than a server takes today are read all the same", async () => {
      const storeDir = await mkdtemp(join(tmpdir(), "millrace-store-"));
      cleanUpLater(() => rm(storeDir, { recursive: true, force: true }));
      const sizes = Array.from({ length: SMALL + 10 }, (_, at) => (at > SMALL ? 900_000 : 10));
      const letters = sized(sizes);
      const server = await launchServer({ path, storeDir });
      try {
        const writer = await connected({ servers: server.url });
        await writer.queues.ensure("q");
        const { subscription } = await CollectingWorker.start(writer, "q");
        await subscription?.stop();
        for (const one of letters) await writer.deadLetters.add(one, "once");
        await writer.close();
      } finally {
        await server.dispose();
      }
      await using lowered = await launchServer({ path, storeDir, config: "max_payload: 131072" });
      const reader = await connected({ servers: lowered.url });

      const listed = await reader.deadLetters.list({ limit: 1_000 });

      expect(listed.map(({ id, body }) => [id, body.length])).toEqual(
        letters.map(({ id, body }) => [id, body.length]),
      );
      await reader.close();
    });
  });
}
