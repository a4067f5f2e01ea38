import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { OutboxStore } from "./outbox-store.ts";
import { postgresOutbox } from "./postgres-store.ts";

/** A message of PostgreSQL's protocol. */
function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

const AUTHENTICATED = message("R", Buffer.alloc(4));
const READY = message("Z", Buffer.from("I"));
const SHUT_DOWN = message("E", Buffer.from("SFATAL\0VFATAL\0C57P01\0Mshut down\0\0"));

/** Ends as it is ready, and says both in one breath. */
let dying: Server;
let store: OutboxStore;
beforeEach(async () => {
  dying = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(Buffer.concat([AUTHENTICATED, READY, SHUT_DOWN])));
  }).listen(0, "127.0.0.1");
  await once(dying, "listening");
  const { port } = dying.address() as AddressInfo;
  store = postgresOutbox({ url: `postgres://shop@127.0.0.1:${port}/shop` });
});
afterEach(async () => {
  await store.close();
  dying.close();
});

test.each<[string, (of: OutboxStore) => Promise<unknown>]>([
  ["a claim", (of) => of.claim("mail", { rows: 1, bytes: 1 })],
  ["the list of queues", (of) => of.queues()],
  ["making the tables", (of) => of.migrate()],
])("a database that ends as soon as it was reached fails %s, and no more", async (_, call) => {
  await expect(call(store)).rejects.toMatchObject({ code: "outbox-failed" });
});
