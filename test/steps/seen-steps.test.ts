import { connect, createNode, defineJob, fatal } from "millrace";
import { expect, it, vi } from "vitest";
import { millraceHere } from "../cli/millrace.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const WEEK_MS = 7 * 24 * 3_600_000;
const TIME = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;

const bill = defineJob<number, number, number>({ name: "bill", queue: "bills" });
const order = defineJob<{ ok: boolean }>({ name: "order", queue: "orders", steps: true });

/** It charges, fails at a second thing, and then waits for three at once. */
const handled = order.handler(async ({ input, step }) => {
  await step.run("charge", () => ({ payment: "p-1", token: "hunter2" }));
  try {
    await step.run("reserve", () => {
      throw new Error("out of stock, password=hunter2");
    });
  } catch {
    await step.run("backorder", () => "b-1");
  }
  if (!input.ok) return fatal("not wanted");
  const [, answer, price] = await Promise.all([
    step.sleep("let it settle", 500),
    step.waitFor("approval", { timeout: WEEK_MS }),
    step.call(bill, 7),
  ]);
  await step.sleep("a day", "1d");
  return { answer, price };
});

describeEachServer("the steps of a job, seen", (server) => {
  it("shows by jobs get what each is, what it waits for and until when, and says when they are gone", async () => {
    const namespace = server.namespace();
    const options = { servers: server.url, namespace, env: {} };
    const millrace = await connect(options);
    cleanUpLater(() => millrace.close());
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const get = async (...args: readonly string[]): Promise<string> =>
      (await millraceHere(["jobs", "get", ...args], { env })).out;
    const start = async (...jobs: Parameters<typeof createNode>[0]["jobs"]): Promise<void> => {
      const node = await createNode({ ...options, jobs });
      await node.start();
      cleanUpLater(() => node.stop());
    };
    const untilShown = (id: string, shown: RegExp): Promise<string> => {
      let text = "";
      return eventually(
        async () => {
          text = await get(id);
          return shown.test(text) ? text : undefined;
        },
        {
          withinMs: 60_000,
          describe: () => `jobs get ${id} shows ${shown.source}, and not\n${text}`,
        },
      );
    };

    await millrace.queues.ensure("bills");
    await start(handled);
    await millrace.enqueue(order, { ok: true }, { id: "o-1" });
    const waiting = await untilShown("o-1", /^(?=[^]*calling job)(?=[^]*waiting for signal)/);
    const lines = [
      String.raw`charge +done +${TIME} +\{"payment":"p-1","token":"\*{3}"\}`,
      String.raw`reserve +failed +${TIME} +Error: out of stock, password=\*{3}`,
      String.raw`backorder +done +${TIME} +"b-1"`,
      String.raw`approval +waiting for signal approval until ${TIME} +${TIME} +-`,
      String.raw`bill +calling job millrace-call:\S+ \(queue bills\) +${TIME} +-`,
    ];
    for (const line of lines) expect(waiting).toMatch(new RegExp(`^${line}$`, "m"));
    expect(waiting).not.toContain("hunter2");
    expect(await get("o-1", "--show-payload")).toContain(`"token":"hunter2"`);

    await start(bill.handler(({ input }) => input * 3));
    await millrace.signal(order, "o-1", "approval", { ok: true, password: "hunter2" });
    const asleep = await untilShown("o-1", /a day +sleeping/);
    const later = [
      String.raw`approval +done +${TIME} +\{"ok":true,"password":"\*{3}"\}`,
      String.raw`bill +done, called job millrace-call:\S+ \(queue bills\) +${TIME} +21`,
      String.raw`let it settle +done +${TIME} +-`,
      String.raw`a day +sleeping until ${TIME} +${TIME} +-`,
    ];
    for (const line of later) expect(asleep).toMatch(new RegExp(`^${line}$`, "m"));
    interface Shown {
      readonly steps: readonly Record<string, unknown>[];
      readonly stepCount?: number;
    }
    const json = async (): Promise<Shown> =>
      (await millraceHere(["jobs", "get", "o-1", "--json"], { env })).json<Shown>();
    const { steps } = await eventually(
      async () => {
        const shown = await json();
        return shown.stepCount === 7 ? shown : undefined;
      },
      { withinMs: 60_000, describe: "the history says how many steps there were" },
    );
    expect(steps.map(({ name, n, kind, state }) => [name, n, kind, state])).toEqual(
      expect.arrayContaining([
        ["charge", 0, "run", "done"],
        ["reserve", 0, "run", "failed"],
        ["approval", 0, "wait", "done"],
        ["bill", 0, "call", "done"],
        ["a day", 0, "sleep", "sleeping"],
      ]),
    );

    await millrace.cancel("o-1", { queue: "orders" });
    const gone = await untilShown("o-1", /state +cancelled/);
    expect(gone).toMatch(/^steps +7, no longer on record: .+$/m);
    expect(gone).not.toContain("let it settle");

    await millrace.enqueue(order, { ok: false }, { id: "o-2" });
    const dead = await untilShown("o-2", /state +dead/);
    expect(dead).toMatch(/^backorder +done/m);
    expect(dead).not.toContain("no longer on record");
  });
});
