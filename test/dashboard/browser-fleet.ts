// What the tests of the page in a browser look at.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  connect,
  createNode,
  defineJob,
  defineSchedule,
  diagnose,
  errorFields,
  type JobIndex,
  type Millrace,
  openJobIndex,
} from "millrace";
import { serveDashboard, type ServedDashboard } from "millrace/dashboard";
import { type OutboxStore, sqliteOutbox } from "millrace/outbox";
import { onTestFinished } from "vitest";
import { eventually } from "../harness/deadline.ts";
import type { TestServer } from "../harness/servers.ts";
import { claim } from "./claim.ts";

const PATIENCE_MS = 60_000;
export const EVIL = `<img src=x onerror="window.attacked=1"><script>window.attacked=1</script>`;
export const COUNT = 40;
/** From this amount on the bank gives another reason. */
export const TOO_MUCH = 1_000;

export const charge = defineJob<{ readonly customer: string; readonly amount: number }>({
  name: "billing.charge",
  queue: "billing",
  retry: { attempts: 2, base: "200ms", jitter: false },
});
export const send = defineJob<{ readonly to: string }>({ name: "mail.send", queue: "mail" });

/** It fails twice, and succeeds then. */
export const flaky = defineJob<{ readonly page: number }>({
  name: "paper.print",
  queue: "mail",
  retry: { attempts: 3, base: "5ms", jitter: false },
});

/** It waits for an approval; its steps are markup. */
export const ask = defineJob({ name: "mail.ask", queue: "mail", steps: true });

export interface Fleet {
  readonly client: Millrace;
  readonly connection: { readonly servers: string; readonly namespace: string };
  readonly served: ServedDashboard;
  readonly search: JobIndex;
  readonly serveAgain: () => Promise<ServedDashboard>;
  bankIsUp(): void;
}

/** An outbox with a row that waits and one that can't be published, for a reason that is markup. */
async function outboxWithTrouble(): Promise<OutboxStore> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-dashboard-"));
  const path = join(dir, "shop.db");
  const outbox = sqliteOutbox({ path });
  onTestFinished(async () => {
    await outbox.close();
    await rm(dir, { recursive: true });
  });
  await outbox.migrate();
  const database = new DatabaseSync(path, { timeout: 20_000 });
  const insert = database.prepare(
    `INSERT INTO millrace_outbox (id, queue, body, set_aside_at, reason, detail)
     VALUES (?, ?, x'00', ?, 'undecodable', ?)`,
  );
  insert.run("waits", "mail", null, null);
  insert.run("bad", "billing", 0, `It is ${EVIL}.`);
  database.close();
  return outbox;
}

/** A fleet whose bank is down: forty jobs have died of it, and everything in them is markup. */
export async function fleet(server: TestServer): Promise<Fleet> {
  let isUp = false;
  const connection = { servers: server.url, namespace: server.namespace(), env: {} };
  const node = await createNode({
    ...connection,
    nodeName: "worker-1",
    jobLogs: "info",
    jobs: [
      charge.handler(({ input, log }) => {
        log.info({ receipt: EVIL }, `charging ${EVIL}`);
        if (isUp) return { charged: input.amount, receipt: EVIL };
        const error = new Error(
          input.amount < TOO_MUCH
            ? `The bank refused the card of customer ${input.amount}${input.customer}`
            : `The bank wants to be asked before it pays ${input.amount}`,
        );
        error.name = `CardDeclined${EVIL}`;
        const fields = { code: `declined${EVIL}`, apiKey: "k-1234567890" };
        throw Object.assign(error, fields, { [errorFields]: Object.keys(fields) });
      }),
      send.handler(({ input }) => ({ sent: input.to })),
      flaky.handler(({ input: { page }, attempt }) => {
        if (attempt === 3) return "printed";
        throw Object.assign(new Error(`Tray ${page} is empty ${EVIL}`), { name: "OutOfPaper" });
      }),
      ask.handler(async ({ step }) => {
        await step.run(`draft ${EVIL}`, () => EVIL);
        return step.waitFor("approval", { timeout: "7d" });
      }),
    ],
    machines: [claim],
    schedules: [
      defineSchedule({ name: "newsletter", cron: "0 8 * * 1", job: send, input: { to: "all" } }),
    ],
  });
  onTestFinished(() => node.stop());
  await node.start();
  const client = await connect(connection);
  onTestFinished(() => client.close());
  await client.enqueueMany(
    charge,
    Array.from({ length: COUNT }, (_, n) => ({ input: { customer: EVIL, amount: n } })),
  );
  await client.enqueueMany(
    send,
    Array.from({ length: 12 }, (_, n) => ({ input: { to: `reader-${n}@example.com` } })),
  );
  const machine = client.machine(claim, "c-1");
  await machine.start({ customer: EVIL });
  await machine.send({ type: "NOTE", note: EVIL });
  await machine.send({ type: "BOOM" });
  await machine.waitFor(({ trouble }) => trouble !== undefined, { timeout: PATIENCE_MS });
  await client.enqueue(send, { to: "later@example.com" }, { delay: "2h" });
  await eventually(async () => (await client.jobs.count({ state: "dead" })) === COUNT, {
    withinMs: PATIENCE_MS,
    describe: "all jobs of the bank are dead",
  });
  const outbox = await outboxWithTrouble();
  const search = await openJobIndex({ broker: client.broker, mask: client.mask });
  onTestFinished(() => search.close());
  const serve = (port: number): Promise<ServedDashboard> =>
    serveDashboard({
      ...{ millrace: client, port, localName: "ada@example.com", title: "shop", outbox, search },
      doctor: () => diagnose({ servers: connection.servers, namespace: connection.namespace }),
    });
  const served = await serve(0);
  onTestFinished(() => served.close());
  const serveAgain = async (): Promise<ServedDashboard> => {
    const again = await serve(Number(new URL(served.url).port));
    onTestFinished(() => again.close());
    return again;
  };
  return { client, connection, served, search, serveAgain, bankIsUp: () => void (isUp = true) };
}
