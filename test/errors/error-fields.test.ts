// What an error's class has kept of it reaches every place where its job's failure is shown.
import { connect, defineJob, errorFields, type JobHandle, MillraceError, runNode } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { millraceHere } from "../cli/millrace.ts";
import { within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

class PaymentDeclined extends Error {
  static readonly [errorFields] = ["code", "order", "password"];
  override readonly name = "PaymentDeclined";
  readonly code = "card_declined";
  readonly password = "hunter2-hunter2";
  readonly request = { body: "the whole request" };
  readonly order: string;
  constructor(order: string) {
    super("declined");
    this.order = order;
  }
}

const charge = defineJob<{ order: string }>({
  name: "charge",
  queue: "payments",
  retry: { attempts: 2, backoff: "fixed", base: "1ms", jitter: false },
});

describeEachServer("the fields of an error", (server) => {
  test("are in the record, the dead letter, the result's cause and the command, masked where shown", async () => {
    const namespace = server.namespace();
    const on = { servers: server.url, namespace, env: {} };
    const handler = charge.handler(({ input }) => {
      throw new PaymentDeclined(input.order);
    });
    const node = await runNode({ ...on, jobs: [handler], healthPort: 0 });
    onTestFinished(() => node.stop());
    const client = await connect(on);
    onTestFinished(() => client.close());
    const job = await client.enqueue(charge, { order: "o-7" }, { id: "charge-7" });
    const fields = { code: "card_declined", order: "o-7", password: "hunter2-hunter2" };
    const cause = await within(deathOf(job), 60_000, "the job died");
    expect(cause).toMatchObject({ name: "PaymentDeclined", message: "declined", ...fields });

    const status = await client.jobs.get("charge-7", { queue: "payments" });
    expect(status.error).toMatchObject({ type: "PaymentDeclined", message: "declined", fields });
    expect(status.history.map(({ error }) => error?.fields)).toEqual([fields, fields]);
    const [letter] = await client.dead.list({ queue: "payments" });
    expect(letter).toMatchObject({ error: { fields }, firstError: { fields } });

    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const masked = 'error fields  {"code":"card_declined","order":"o-7","password":"***"}';
    for (const command of ["jobs get", "dead show"]) {
      const { code, out } = await millraceHere([...command.split(" "), "charge-7"], { env });
      expect([code, out.replaceAll(/ {2,}/g, "  ")]).toEqual([0, expect.stringContaining(masked)]);
      const json = await millraceHere([...command.split(" "), "charge-7", "--json"], { env });
      expect(json.out).toContain("card_declined");
      expect(json.out).not.toContain("hunter2");
      expect(json.out).not.toContain("the whole request");
    }
  });
});

async function deathOf(job: JobHandle<unknown>): Promise<unknown> {
  try {
    return await job.result();
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return error.cause;
  }
}
