import { createNode, defineMachine } from "millrace";
import { expect, it } from "vitest";
import { setup } from "xstate";
import { publishRaw } from "../harness/bare-client.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { operatorOf, passwordServer } from "../permissions/roles.ts";

async function open(server: TestServer) {
  const acted: string[] = [];
  const note = ({ event }: { readonly event: { readonly type: string } }) =>
    void acted.push(event.type);
  const order = defineMachine({
    name: "order",
    machine: setup({ actions: { note } }).createMachine({
      on: { GO: { actions: "note" }, PLAIN: { actions: "note" } },
    }),
  });
  const node = await createNode({
    ...{ servers: server.url, user: "node", password: "node", jobs: [], machines: [order] },
  });
  cleanUpLater(() => node.stop());
  await node.start();
  const operator = await operatorOf(server);
  const send = (id: string, body: string, block = "x: y") =>
    publishRaw(server, `millrace.inbox.order.${id}`, block, Buffer.from(body), { user: "shop" });
  return { acted, send, machine: (id: string) => operator.machine(order, id) };
}

const nested = (levels: number): string => `${"[".repeat(levels)}1${"]".repeat(levels)}`;
const go = (value: string): string => `{"type":"GO","x":${value}}`;

describeEachServer(
  "an event that nobody could write down",
  (server) => {
    it.each([
      ["nests 60,000 levels deep", go(nested(60_000))],
      ["nests one level too deep", go(nested(64))],
      ["holds 120,000 values", go(`[${"1,".repeat(119_999)}1]`)],
    ])("leaves its machine as it was, and can be stopped: it %s", async (what, body) => {
      const { machine, send, acted } = await open(server);
      const one = machine(`deep-${what.replaceAll(/[ ,]/g, "-")}`);
      await one.start();
      await send(one.id, body);
      await one.send({ type: "PLAIN" });
      const { trouble } = await one.waitFor(({ trail }) => trail.at(-1)?.event === "PLAIN", {
        timeout: "20s",
      });
      expect(trouble).toMatchObject({ event: "(unreadable)", error: { type: "invalid-message" } });
      await one.stop();
      await one.waitFor(({ status }) => status === "stopped", { timeout: "20s" });
      expect(acted).toEqual(["PLAIN"]);
    });

    it("and one that is as deep as may be is taken", async () => {
      const { machine, send, acted } = await open(server);
      const one = machine("as-deep");
      await one.start();
      await send(one.id, go(nested(63)));
      await one.waitFor(({ trail }) => trail.at(-1)?.event === "GO", { timeout: "20s" });
      await one.stop();
      const { trouble } = await one.waitFor(({ status }) => status === "stopped", {
        timeout: "20s",
      });
      expect(trouble).toBeUndefined();
      expect(acted).toEqual(["GO"]);
    });

    it("fails a machine in its beginning, where it is its input", async () => {
      const { machine, send } = await open(server);
      const one = machine("begun");
      await send(one.id, nested(60_000), "Millrace-Machine: start");
      const { status, error } = await one.waitFor((found) => found.status !== "active", {
        timeout: "20s",
      });
      expect({ status, error }).toMatchObject({
        status: "error",
        error: { type: "invalid-message" },
      });
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
