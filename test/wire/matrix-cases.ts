import type { Envelope, HistoryRecord } from "@millrace/core";
import { expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import type { Reply } from "./driver.ts";

/**
 * The columns of the matrix that `npm test` prints (scripts/interop-matrix.mjs finds them by this
 * prefix).
 */
const COLUMN = "interop: ";
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PAYLOAD = { to: "ada@example.com", copies: 2 };

export interface MatrixProducer {
  enqueue(
    job: { readonly id: string; readonly [field: string]: unknown },
    options?: { readonly lane?: "high"; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Reply>;
  /** As the foreign program reads it; one that can't decode the record tells the state alone. */
  result(id: string): Promise<Reply>;
}

export interface MatrixNode {
  runsOf(id: string): readonly { readonly job: Envelope; readonly at: number }[];
  isQueueEmpty(): Promise<boolean>;
  records(id: string): Promise<readonly HistoryRecord[]>;
}

/** What every language must be able to do, once for each server. */
export function matrixCases(producer: MatrixProducer, node: MatrixNode): void {
  const succeeds = async (id: string): Promise<Envelope> => {
    expect(await producer.result(id)).toMatchObject({ state: "succeeded" });
    const [run, ...more] = node.runsOf(id);
    expect(more).toEqual([]);
    if (run === undefined) throw new Error(`${id} has a record and never ran`);
    expect(run.job.payload).toEqual(PAYLOAD);
    return run.job;
  };

  it(`${COLUMN}immediate`, async () => {
    expect(await producer.enqueue({ id: "i-now", payload: PAYLOAD })).toMatchObject({
      duplicate: false,
    });
    await succeeds("i-now");
  });

  it(`${COLUMN}delayed`, async () => {
    const notBefore = Date.now() + 800;
    await producer.enqueue({ id: "i-later", payload: PAYLOAD, notBefore });
    await succeeds("i-later");
    expect(node.runsOf("i-later")[0]?.at).toBeGreaterThanOrEqual(notBefore);
  });

  it(`${COLUMN}unique`, async () => {
    const uniqueKey = "ada";
    // So late that it has its key for as long as this test looks, however slow the machine.
    const notBefore = Date.now() + 3_600_000;
    await producer.enqueue({ id: "i-first", payload: PAYLOAD, uniqueKey, notBefore });
    // Put off, with its record, its claim and the ack, in this order: a node has seen it only then.
    await eventually(() => node.isQueueEmpty(), {
      withinMs: 20_000,
      describe: "a node has put the first one off",
    });
    await producer.enqueue({ id: "i-second", payload: PAYLOAD, uniqueKey });
    expect(await producer.result("i-second")).toMatchObject({ state: "cancelled" });
    expect((await node.records("i-second"))[0]?.reason).toContain("i-first");
    expect(node.runsOf("i-second")).toEqual([]);
  });

  it(`${COLUMN}prioritised`, async () => {
    await producer.enqueue({ id: "i-urgent", payload: PAYLOAD }, { lane: "high" });
    expect((await succeeds("i-urgent")).lane).toBe("high");
  });

  it(`${COLUMN}traced`, async () => {
    const headers = { traceparent: TRACE, tracestate: "vendor=1" };
    const notBefore = Date.now() + 600;
    await producer.enqueue({ id: "i-traced", payload: PAYLOAD, notBefore }, { headers });
    expect((await succeeds("i-traced")).headers).toMatchObject(headers);
  });

  it(`${COLUMN}result`, async () => {
    await producer.enqueue({ id: "i-read", payload: PAYLOAD });
    const read = await producer.result("i-read");
    expect(read).toEqual(
      "output" in read
        ? { state: "succeeded", output: { got: PAYLOAD }, attempts: 1 }
        : { state: "succeeded" },
    );
  });
}
