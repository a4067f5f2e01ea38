import { connectBroker } from "@millrace/broker-nats";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

describeEachServer(
  "a server that asks for user and password",
  (server) => {
    test("lets in whoever has them, in the options or in the address, leases included, and shows them nowhere", async () => {
      const address = server.url.replace("nats://", "nats://ada:s3cret@");
      for (const options of [
        {
          servers: server.url,
          auth: { kind: "password", user: "ada", password: "s3cret" },
        } as const,
        { servers: address },
      ]) {
        const broker = await connected({ ...options, namespace: server.namespace() });
        await broker.queues.ensure("q");
        const worker = await CollectingWorker.start(broker, "q");
        await broker.enqueue([jobFor("q")]);
        await broker.settle((await worker.nth(1)).delivery, [{ do: "ack" }]);
      }
    });

    test("refuses whoever has not, with a message that holds no password", async () => {
      for (const servers of [server.url, server.url.replace("nats://", "nats://ada:wr0ng@")]) {
        const error = await connectBroker({ servers }).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: "auth-failed" });
        expect(String(error)).not.toContain("wr0ng");
      }
    });

    test("lets a producer with no more than the permission to publish enqueue, and tells it what else it may not do", async () => {
      const namespace = "prod";
      const operator = await connected({
        servers: server.url,
        namespace,
        auth: { kind: "password", user: "ada", password: "s3cret" },
      });
      await operator.queues.ensure("q");
      const producer = await connected({
        servers: server.url,
        namespace,
        auth: { kind: "password", user: "producer", password: "p" },
      });
      expect(await producer.enqueue([jobFor("q")])).toMatchObject([{ ok: true }]);
      expect(await producer.enqueue([jobFor("q", { generation: 1 })])).toMatchObject([
        { ok: false, error: { code: "permission-denied" } },
      ]);
    });
  },
  {
    connectWith: { user: "ada", pass: "s3cret" },
    config: `authorization { users = [
      { user: ada, password: s3cret }
      { user: producer, password: p, permissions: { publish: ["prod.jobs.>"], subscribe: ["_INBOX.>"] } }
    ] }`,
  },
);

describeEachServer(
  "a server that asks for a token",
  (server) => {
    test("takes it", async () => {
      const broker = await connected({
        servers: server.url,
        auth: { kind: "token", token: "t0ken" },
      });
      expect(await broker.ping()).toBeGreaterThanOrEqual(0);
      await expect(
        connectBroker({ servers: server.url, auth: { kind: "token", token: "other" } }),
      ).rejects.toMatchObject({ code: "auth-failed" });
    });
  },
  { config: "authorization { token: t0ken }", connectWith: { token: "t0ken" } },
);

describeEachServer(
  "a server without JetStream",
  (server) => {
    test("is refused", async () => {
      await expect(connectBroker({ servers: server.url })).rejects.toMatchObject({
        code: "jetstream-disabled",
      });
    });
  },
  { jetstream: false },
);

describeEachServer(
  "a server whose max_payload leaves no room",
  (server) => {
    test("is refused, with what to raise", async () => {
      await expect(connectBroker({ servers: server.url })).rejects.toMatchObject({
        code: "invalid-option",
        message: expect.stringContaining("max_payload") as string,
      });
    });
  },
  { config: "max_payload: 16384" },
);

describe("connecting", () => {
  test("fails with the address where nobody listens", async () => {
    const port = await portOfNobody();
    await expect(connectBroker({ servers: `127.0.0.1:${port}` })).rejects.toMatchObject({
      code: "server-unreachable",
      message: expect.stringContaining(String(port)) as string,
    });
  });

  test("refuses a server older than 2.10", async () => {
    const url = await pretender("2.9.25");
    await expect(
      within(connectBroker({ servers: url }), 20_000, "a refusal"),
    ).rejects.toMatchObject({ code: "server-too-old" });
  });

  test("names a credentials file that can't be used, and never its content", async () => {
    const dir = await mkdtemp(join(tmpdir(), "millrace-creds-"));
    cleanUpLater(() => rm(dir, { recursive: true, force: true }));
    const file = join(dir, "user.creds");
    await writeFile(file, "SUAGARBLED");
    for (const auth of [
      { kind: "credentials", file },
      { kind: "nkey", seedFile: file },
      { kind: "credentials", file: join(dir, "none") },
    ] as const) {
      const error = await connectBroker({ servers: "127.0.0.1:1", auth }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({
        code: "credentials-unreadable",
        message: expect.stringContaining(dir) as string,
      });
      expect(String(error)).not.toContain("GARBLED");
    }
  });

  test.each([
    [{ replicas: 2 }, "invalid-option"],
    [{ history: { maxRecords: 0 } }, "invalid-option"],
    [{ history: { maxAgeMs: Number.NaN } }, "invalid-option"],
    [{ namespace: "two words" }, "invalid-name"],
  ])("refuses %j before it dials", async (options, code) => {
    await expect(connectBroker({ servers: "127.0.0.1:1", ...options })).rejects.toMatchObject({
      code,
    });
  });
});

/** A port that was free a moment ago. */
async function portOfNobody(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Says of itself what a server of that version would, and answers pings. */
async function pretender(version: string): Promise<string> {
  const info = {
    server_id: "x",
    server_name: "x",
    version,
    proto: 1,
    host: "127.0.0.1",
    port: 0,
    headers: true,
    max_payload: 1_048_576,
    jetstream: true,
  };
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => void (data.includes("PING") && socket.write("PONG\r\n")));
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUpLater(() => void server.close());
  const address = server.address();
  return `nats://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}
