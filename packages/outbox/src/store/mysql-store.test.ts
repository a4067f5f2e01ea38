import { SimulatedClock } from "@millrace/testkit";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { mysqlOutbox } from "./mysql-store.ts";

/** Speaks as a database does, and answers nothing while it is silent. */
async function database() {
  const heard = { silent: false, asked: 0, connections: 0, tell: (): void => {} };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    heard.connections += 1;
    socket.on("error", () => {});
    socket.write(packet(0, HELLO));
    let isKnown = false;
    socket.on("data", (bytes) => {
      // Nothing here is longer than what arrives as one piece.
      if (!isKnown) {
        isKnown = true;
        return void socket.write(packet(2, OK));
      }
      if (bytes[4] !== COM_QUERY) return;
      heard.asked += 1;
      heard.tell();
      if (!heard.silent) socket.write(packet(1, OK));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const asked = (count: number): Promise<void> =>
    new Promise((resolve) => {
      heard.tell = () => heard.asked >= count && resolve();
      heard.tell();
    });
  return { heard, asked, url: `mysql://root@127.0.0.1:${port}/shop` };
}

const COM_QUERY = 3;
const OK = Buffer.from([0, 1, 0, 2, 0, 0, 0]);
const PLUGIN = "mysql_native_password\0";
/** Version 10 of the protocol, by a server that has passwords, transactions and plugins. */
const HELLO = Buffer.concat([
  Buffer.from("\u000a8.0.0\0"),
  Buffer.from([1, 0, 0, 0]),
  Buffer.from("abcdefgh\0"),
  Buffer.from([0x09, 0xa2, 45, 2, 0, 0x08, 0, 21]),
  Buffer.alloc(10),
  Buffer.from(`abcdefghijkl\0${PLUGIN}`),
]);

function packet(sequence: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head[3] = sequence;
  return Buffer.concat([head, body]);
}

test("a database that falls silent costs no connection for ever: each call ends, and the next is answered", async () => {
  const { heard, asked, url } = await database();
  const clock = new SimulatedClock();
  const store = mysqlOutbox({ url, clock });
  await Promise.all([1, 2, 3, 4].map(() => store.note("mail", "why")));
  expect(heard.connections).toBe(4);
  heard.silent = true;
  const before = heard.asked;
  const calls = Array.from({ length: 6 }, () => store.note("mail", "why"));
  const ended = Promise.allSettled(calls);
  await asked(before + 4);
  await clock.advance("10s");
  // Two have waited for a connection, and ask on one of their own.
  await asked(before + 6);
  await clock.advance("10s");
  expect((await ended).map(({ status }) => status)).toEqual(calls.map(() => "rejected"));
  heard.silent = false;
  await store.note("mail", "why");
  await store.close();
});

test("an outbox of a silent database closes", async () => {
  const { heard, asked, url } = await database();
  const clock = new SimulatedClock();
  const store = mysqlOutbox({ url, clock });
  await store.note("mail", "why");
  heard.silent = true;
  const before = heard.asked;
  const call = expect(store.note("mail", "why")).rejects.toMatchObject({ code: "outbox-failed" });
  await asked(before + 1);
  const closing = store.close();
  await clock.advance("1s");
  await closing;
  await clock.advance("10s");
  await call;
});
