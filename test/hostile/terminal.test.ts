import { createNode, defineJob, defineMachine, fatal } from "millrace";
import { expect, it } from "vitest";
import { setup } from "xstate";
import { millraceHere } from "../cli/millrace.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { asRole, operatorOf, passwordServer } from "../permissions/roles.ts";

/** Writes to the clipboard, clears the screen, names the window, turns the order around. */
const OBEYED =
  "\u001b]52;c;Y3VybCBldmls\u0007\u001b[2J\u009b2J\u009d0;mine\u007f\u202e\u2028\u200b";
/** All that a terminal obeys but for the ends of lines. */
const CONTROL = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const chart = setup({}).createMachine({ initial: "open", states: { open: {} } });

describeEachServer(
  "what a producer writes moves no cursor of an operator's terminal",
  (server) => {
    const run = async (...args: string[]): Promise<string> => {
      const { out, code } = await millraceHere(args, {
        env: {
          ...{ MILLRACE_SERVERS: server.url },
          ...{ MILLRACE_USER: "operator", MILLRACE_PASSWORD: "operator" },
        },
      });
      expect(code).toBe(0);
      expect(out).not.toMatch(CONTROL);
      return out;
    };

    it("in a machine's trouble, and in a dead letter", async () => {
      const order = defineMachine({ name: "order", machine: chart });
      const mail = defineJob<unknown>({ name: "mail.send", queue: "mail" });
      const node = await createNode({
        ...{ servers: server.url, user: "node", password: "node", machines: [order] },
        jobs: [
          mail.handler(({ input }) => {
            throw fatal(String(input));
          }),
        ],
      });
      cleanUpLater(() => node.stop());
      await node.start();
      const operator = await operatorOf(server);
      const shop = await asRole(server, "shop");
      const machine = operator.machine(order, "esc");
      await machine.start();
      await machine.waitFor((one) => one.matches("open"), { timeout: "20s" });
      const send = (subject: string, body: unknown) =>
        shop.request(subject, JSON.stringify(body), { timeout: 5_000 });
      await send("millrace.inbox.order.esc", { type: `xstate.${OBEYED}` });
      await send("millrace.jobs.mail", { id: "esc", name: "mail.send", payload: OBEYED });
      await eventually(async () => (await machine.snapshot()).trouble !== undefined, {
        withinMs: 20_000,
        describe: "the event is refused",
      });
      await eventually(async () => (await operator.dead.list({ queue: "mail" })).length > 0, {
        withinMs: 20_000,
        describe: "the job is buried",
      });
      expect(await run("machines", "get", "order", "esc")).toMatch(/^trouble +xstate\./m);
      expect(await run("machines", "get", "order", "esc", "--json")).toContain("\\u001b]52");
      expect(await run("dead", "show", "esc", "--show-payload")).toContain("\\u009b2J");
      const json = await run("dead", "show", "esc", "--show-payload", "--json");
      expect(JSON.parse(json)).toMatchObject({ payload: OBEYED });
      await run("jobs", "get", "esc", "--queue", "mail", "--show-payload");
      await run("jobs", "get", "esc", "--queue", "mail", "--show-payload", "--json");
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
