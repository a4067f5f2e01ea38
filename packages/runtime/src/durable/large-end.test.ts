import {
  type HistoryRecord,
  MillraceError,
  tooLargeValue,
  UNSETTLED,
  unsendableValue,
  withOwn,
} from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import type { Settled } from "../execution/settle/settlement-hook.ts";
import { endMessage, readEnd } from "./end-message.ts";
import { invokedHook } from "./invoked-hook.ts";

const id = "millrace-m:order:o-1:r:1:x";
const trace = { traceparent: "00-a-b-01", baggage: `a=${"x".repeat(5_000)}` };
const done = { state: "succeeded", outcome: "succeeded", output: "y".repeat(3_000) } as const;
const dead = { state: "dead", outcome: "failed", reason: "timed-out" } as const;

/** How a job's end is told by a server that takes messages of so many bytes. */
async function told(ended: typeof done | typeof dead, takes: number) {
  const broker = new MemoryBroker();
  onTestFinished(() => broker.close());
  const heard: { end: unknown; isTraced: boolean }[] = [];
  const hook = invokedHook({
    history: broker.history,
    inbox: withOwn(broker.inbox, {
      tell: (_to, data, headers) => {
        if (data.length + JSON.stringify(headers ?? {}).length > takes)
          return Promise.reject(new MillraceError("payload-too-large", "No."));
        return Promise.resolve(
          void heard.push({ end: readEnd(data), isTraced: headers !== undefined }),
        );
      },
    }),
  });
  const record: HistoryRecord = {
    ...{ id, queue: "bills", name: "bill", attempts: 1, generation: 0, node: "n", at: 5, ...ended },
  };
  const envelope = {
    ...{ ...UNSETTLED, id, queue: "bills", name: "bill", payload: null, createdAt: 1 },
    headers: trace,
  };
  const settlement: Settled["settlement"] = {
    ...{ envelope, state: ended.state, steps: [{ do: "record", record }, { do: "ack" }] },
  };
  const settled: Pick<Settled, "envelope" | "settlement"> = { envelope, settlement };
  await hook.beforeAck?.(settled as Settled);
  return heard;
}

const result = { job: id, output: done.output };
const tooLarge = { job: id, error: { type: "payload-too-large", message: expect.any(String) } };
const late = { job: id, error: { type: "dead", message: expect.any(String) } };

test.each([
  ["whole", done, 10_000, result, true],
  ["without its trace", done, 4_000, result, false],
  ["without its result", done, 1_000, tooLarge, false],
  ["without its trace, also of a dead job", dead, 1_000, late, false],
] as const)(
  "an end that is too large is told smaller: %s",
  async (_how, ended, takes, end, isTraced) => {
    expect(await told(ended, takes)).toEqual([{ end, isTraced }]);
  },
);

test.each([
  [tooLargeValue({}), "payload-too-large", /larger than any message/],
  [unsendableValue("output.at is a Map"), "unserializable-payload", /output\.at is a Map/],
])("a result that nobody could send, and no history took, is told as that", (output, type, why) => {
  const record: HistoryRecord = {
    ...{ id, queue: "bills", name: "bill", attempts: 1, generation: 0, node: "n", at: 5, ...done },
    output,
  };
  const message = expect.stringMatching(why) as string;
  expect(readEnd(endMessage(id, record))).toEqual({ job: id, error: { type, message } });
});
