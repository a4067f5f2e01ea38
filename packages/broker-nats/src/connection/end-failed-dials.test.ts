import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { connectNats } from "./connect-nats.ts";

/** An address that takes connections and says nothing, as a server that is frozen does. */
async function silentServer(): Promise<{ readonly url: string; readonly taken: Socket[] }> {
  const taken: Socket[] = [];
  const server = createServer((socket) => {
    taken.push(socket);
    socket.on("error", () => socket.destroy());
    socket.resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of taken) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return { url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`, taken };
}

test("a dial that got no word in time leaves no socket, however often it is made", async () => {
  const { url, taken } = await silentServer();
  const controller = new AbortController();
  let refused = 0;
  const connecting = connectNats(
    { servers: url, waitOnFirstConnect: true, connectTimeoutMs: 100, reconnectWaitMs: 10 },
    controller.signal,
    () => {
      refused += 1;
      if (refused === 3) controller.abort(new Error("enough"));
    },
  );
  await expect(connecting).rejects.toThrow("enough");
  expect(taken).toHaveLength(3);
  await expect
    .poll(() => taken.filter((socket) => !socket.readableEnded && !socket.closed), {
      timeout: 5_000,
    })
    .toEqual([]);
});

test("nor where the caller does not wait", async () => {
  const { url, taken } = await silentServer();
  await expect(connectNats({ servers: url, connectTimeoutMs: 100 })).rejects.toMatchObject({
    code: "server-unreachable",
  });
  expect(taken.length).toBeGreaterThan(0);
  await expect
    .poll(() => taken.filter((socket) => !socket.readableEnded && !socket.closed), {
      timeout: 5_000,
    })
    .toEqual([]);
});
