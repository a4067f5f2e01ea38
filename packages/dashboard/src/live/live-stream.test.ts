import { SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import type { DashboardUser } from "../access/user.ts";
import { createDashboard } from "../create-dashboard.ts";
import type { Fleet } from "../fleet/fleet.ts";

const PATIENT = { timeout: 20_000 };
const ADA: DashboardUser = { name: "ada", role: "viewer" };

/** Nothing moves in it. */
const millrace = {
  ...{ status: "connected", onStatus: () => () => {} },
  operations: { serve: async () => ({ stop: async () => {} }) },
  samples: { serve: async () => ({ stop: async () => {} }) },
  jobs: {
    async *watch({ signal }: { readonly signal: AbortSignal }) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      yield* [];
    },
  },
} as unknown as Fleet;

/** A page that follows the feed, and what its user is. */
async function following() {
  const clock = new SimulatedClock();
  const login: { authorize: () => DashboardUser | undefined | Promise<DashboardUser | undefined> } =
    { authorize: () => ADA };
  const defects: unknown[] = [];
  const dashboard = createDashboard({
    ...{ millrace, clock, authorize: () => login.authorize() },
    onDefect: (error) => defects.push(error),
  });
  onTestFinished(() => dashboard.close());
  const { body } = await dashboard(new Request("http://localhost/api/live"));
  const heard: string[] = [];
  const ended = (async () => {
    for await (const piece of body ?? []) heard.push(new TextDecoder().decode(piece));
  })();
  const alive = (): number => heard.filter((text) => text.startsWith("event: alive")).length;
  return { clock, login, alive, ended, defects };
}

test("the feed goes on as long as its user may look", async () => {
  const { clock, alive } = await following();
  for (const count of [1, 2, 3]) {
    await expect.poll(alive, PATIENT).toBe(count);
    await clock.advance("15s");
  }
});

test.each<[string, () => undefined | Promise<undefined>]>([
  ["is over", () => undefined],
  ["is over, as is told later", async () => undefined],
  ["can't be looked up", () => Promise.reject(new Error("the sessions are away"))],
])("the feed ends within 15 s where the login %s", async (_, authorize) => {
  const { clock, login, alive, ended } = await following();
  await expect.poll(alive, PATIENT).toBe(1);
  login.authorize = authorize;
  await clock.advance("15s");
  await ended;
  expect(alive()).toBe(1);
});

test("it is told why a login can't be looked up", async () => {
  const { clock, login, ended, defects } = await following();
  const away = new Error("the sessions are away");
  login.authorize = () => Promise.reject(away);
  await clock.advance("15s");
  await ended;
  expect(defects).toEqual([away]);
});

test("a login that is looked up without end ends the feed, too", async () => {
  const { clock, login, alive, ended } = await following();
  login.authorize = () => new Promise(() => {});
  await clock.advance("15s");
  await clock.advance("15s");
  await ended;
  expect(alive()).toBe(1);
});
