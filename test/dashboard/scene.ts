import { defineJob, defineSchedule } from "millrace";
import {
  createDashboard,
  type Dashboard,
  type DashboardDoctor,
  type DashboardOutbox,
  type DashboardSearch,
  type DashboardUser,
} from "millrace/dashboard";
import { createTestRuntime, type TestRuntime } from "millrace/testing";
import { onTestFinished } from "vitest";
import { claim } from "./claim.ts";

export const charge = defineJob<{ readonly n: number; readonly apiKey?: string }>({
  name: "billing.charge",
  queue: "billing",
  retry: { attempts: 2, base: "1s", jitter: false },
});
export const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });

/** It waits for an approval, with a secret on record. */
export const ask = defineJob({ name: "mail.ask", queue: "mail", steps: true, retry: "none" });

export class CardDeclined extends Error {
  override readonly name = "CardDeclined";
}

export const ADA: DashboardUser = { name: "ada@example.com", role: "operator" };
export const BOB: DashboardUser = { name: "bob@example.com", role: "viewer" };
/** She looks, at what is masked too, and changes nothing. */
export const EVE: DashboardUser = { name: "eve@example.com", role: "viewer", payloads: true };

export interface Scene {
  readonly t: TestRuntime;
  readonly dashboard: Dashboard;
  /** What the bank's jobs do from now on. */
  bankIs(state: "down" | "up"): void;
  get<View>(path: string): Promise<View>;
  post(
    path: string,
    body: object | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Response>;
}

export const ORIGIN = "http://127.0.0.1:8087";
export const OF_THE_PAGE = {
  "content-type": "application/json",
  "x-millrace-change": "1",
} as const;

/** What of a store is listed is not answered before it is let go. */
export function heldBack<Query, Answer>(store: { list(query: Query): Promise<Answer> }) {
  const list = store.list.bind(store);
  const reading = { begun: 0, go: Promise.withResolvers<void>() };
  store.list = async (query) => {
    reading.begun += 1;
    await reading.go.promise;
    return list(query);
  };
  return reading;
}

/** A fleet in memory with a queue whose jobs fail, and its dashboard. */
export async function scene({
  user = () => ADA,
  basePath = "/",
  outbox,
  doctor,
  search,
  jobs = [],
}: {
  readonly user?: (request: Request) => DashboardUser | undefined;
  readonly basePath?: string;
  readonly outbox?: DashboardOutbox;
  readonly doctor?: DashboardDoctor;
  readonly search?: (t: TestRuntime) => Promise<DashboardSearch>;
  /** Handled beside the usual ones. */
  readonly jobs?: readonly unknown[];
} = {}): Promise<Scene> {
  let bank: "down" | "up" = "down";
  const t = await createTestRuntime({
    jobs: [
      ...jobs,
      charge.handler(({ input, log, attempt }) => {
        log.info({ attempt, apiKey: "k-123456" }, `charging card ${input.n}`);
        if (bank === "down") throw new CardDeclined(`card ${input.n}, token=s3cr3t-value`);
        return { charged: input.n, password: "hunter2hunter2" };
      }),
      send.handler(({ input }) => ({ sent: input.n })),
      ask.handler(async ({ step }) => {
        await step.run("draft", () => ({ text: "hello", apiKey: "k-123456" }));
        await step.sleep("a moment", "1ms");
        const answer = await step.waitFor("approval", { timeout: "7d" });
        await step.sleep("a while", "1m");
        return answer;
      }),
    ],
    machines: [claim],
    schedules: [defineSchedule({ name: "nightly", cron: "0 3 * * *", job: send, input: { n: 0 } })],
  });
  const dashboard = createDashboard({
    ...{ millrace: t.client, clock: t.clock, basePath },
    authorize: user,
    ...(outbox === undefined ? {} : { outbox }),
    ...(doctor === undefined ? {} : { doctor }),
    ...(search === undefined ? {} : { search: await search(t) }),
  });
  onTestFinished(async () => {
    await dashboard.close();
    await t.stop();
  });
  return {
    t,
    dashboard,
    bankIs: (state) => void (bank = state),
    get: async <View>(path: string) => {
      // What was answered a moment ago is not asked again.
      await t.clock.advance("2s");
      const response = await dashboard(new Request(`${ORIGIN}${basePath}api/${path}`));
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      return (await response.json()) as View;
    },
    post: async (path, body, headers = OF_THE_PAGE) => {
      // Records of the audit are in the order of their times.
      await t.clock.advance("1ms");
      return dashboard(
        new Request(`${ORIGIN}${basePath}api/${path}`, {
          method: "POST",
          headers,
          body: typeof body === "string" ? body : JSON.stringify(body),
        }),
      );
    },
  };
}
