// What looking costs whether a settled job has to do with steps or machines: prints nanoseconds of
// processor time for a job that has to do with neither.
import {
  type Envelope,
  type Settlement,
  silentLogger,
  systemClock,
  UNSETTLED,
} from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { invokedHook } from "../../packages/runtime/src/durable/invoked-hook.ts";
import { secondLooks } from "../../packages/runtime/src/execution/settle/second-looks.ts";
import { childHook } from "../../packages/runtime/src/execution/steps/child-hook.ts";
import { journalHook } from "../../packages/runtime/src/execution/steps/journal-hook.ts";

const LOOKS = 500_000;
/** The cheapest counts: whatever else the machine does only adds. */
const WINDOWS = 10;

const broker = new MemoryBroker();
const looks = secondLooks({ broker, clock: systemClock, log: silentLogger });
const hooks = [
  childHook(broker, systemClock, looks),
  invokedHook(broker),
  journalHook(broker, { get: () => ({ steps: undefined }) } as never, systemClock),
];
const envelopes = Array.from({ length: 1_000 }, (_none, n): Envelope => ({
  ...UNSETTLED,
  ...{ id: `j${n}`, name: "bench.nothing", queue: "bench", payload: { n }, createdAt: 1 },
  headers: {},
}));
const settlement = { state: "succeeded", steps: [] } as unknown as Settlement;
let found = 0;
const look = (): void => {
  for (let n = 0; n < LOOKS; n += 1) {
    const envelope = envelopes[n % envelopes.length];
    if (envelope === undefined) continue;
    for (const hook of hooks) if (hook.concerns(envelope, settlement)) found += 1;
  }
};
const windows = Array.from({ length: WINDOWS }, () => {
  const began = process.cpuUsage();
  look();
  const { user, system } = process.cpuUsage(began);
  return user + system;
});
if (found !== 0) throw new Error(`${found} jobs without steps were taken for others`);
console.log((Math.min(...windows) * 1_000) / LOOKS);
