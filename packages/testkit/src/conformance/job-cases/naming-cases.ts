import assert from "node:assert/strict";
import { type Broker, MillraceError } from "@millrace/core";
import { type ConformanceCase, conformanceCase } from "../scene.ts";

/** What a server's subjects give a meaning to, and what is no name. */
const NO_NAMES = ["*", ">", "a.b", "a.>", "", "a b"];

/** Every call that looks for jobs by an id. */
const BY_ID: Readonly<Record<string, (of: Broker, id: string, queue: string) => unknown>> = {
  "deadLetters.list": (of, id) => of.deadLetters.list({ id }),
  "history.read": (of, id) => of.history.read({ id }),
  "history.stored": (of, id) => of.history.stored({ id }),
  "history.last": (of, id, queue) => of.history.last({ id, queue }, "ended"),
  "history.follow": (of, id) => of.history.follow({ id }, () => {}),
  "progress.latest": (of, id, queue) => of.progress.latest({ id, queue }),
  "progress.follow": (of, id, queue) => of.progress.follow({ id, queue }, () => {}),
  "progress.remove": (of, id, queue) => of.progress.remove({ id, queue }),
  "jobLogs.read": (of, id, queue) => of.jobLogs.read({ id, queue }),
  "journal.read": (of, id, queue) => of.journal.read({ id, queue, createdAt: 1 }),
  "journal.remove": (of, id, queue) => of.journal.remove({ id, queue, createdAt: 1 }),
  "signals.read": (of, id, queue) => of.signals.read({ id, queue, name: "go" }),
  "signals.read by name": (of, name, queue) => of.signals.read({ id: "a", queue, name }),
  "signals.newest": (of, id, queue) => of.signals.newest({ id, queue }),
  "signals.remove": (of, id, queue) => of.signals.remove({ id, queue }),
  findWaiting: (of, id) => of.findWaiting(id),
  "delayed.move": (of, id, queue) => of.delayed.move(id, queue, "now"),
};

/** Every call that looks for jobs of a queue. */
const BY_QUEUE: Readonly<Record<string, (of: Broker, queue: string) => unknown>> = {
  "deadLetters.list": (of, queue) => of.deadLetters.list({ queue }),
  "history.read": (of, queue) => of.history.read({ id: "a", queue }),
  "history.recent": (of, queue) => of.history.recent({ queue, limit: 1 }),
  "history.stretch": (of, queue) => of.history.stretch({ queue, after: 0 }),
  "history.watch": (of, queue) => of.history.watch({ queue }, () => {}),
  "progress.latest": (of, queue) => of.progress.latest({ id: "a", queue }),
  "jobLogs.read": (of, queue) => of.jobLogs.read({ id: "a", queue }),
  "journal.read": (of, queue) => of.journal.read({ id: "a", queue, createdAt: 1 }),
  "signals.read": (of, queue) => of.signals.read({ id: "a", queue, name: "go" }),
  "delayed.list": (of, queue) => of.delayed.list({ queue }),
  "delayed.count": (of, queue) => of.delayed.count(queue),
  listWaiting: (of, queue) => of.listWaiting(queue),
  findWaiting: (of, queue) => of.findWaiting("a", { queue }),
  "queues.snapshot": (of, queue) => of.queues.snapshot(queue),
};

export const namingCases: readonly ConformanceCase[] = [
  conformanceCase(
    "names: what is looked for is a name, and never a pattern that all jobs fit",
    async ({ broker, queue }) => {
      const taken: string[] = [];
      const asked = async (call: string, no: string, ask: () => unknown): Promise<void> => {
        const code = await codeOf(ask);
        if (code !== "invalid-name") taken.push(`${call} of "${no}": ${code ?? "taken"}`);
      };
      for (const no of NO_NAMES) {
        for (const [call, ask] of Object.entries(BY_ID))
          await asked(call, no, () => ask(broker, no, queue));
        for (const [call, ask] of Object.entries(BY_QUEUE))
          await asked(`${call} of a queue`, no, () => ask(broker, no));
      }
      assert.deepEqual(taken, []);
    },
  ),
];

/** @returns undefined where nothing is thrown */
async function codeOf(ask: () => unknown): Promise<string | undefined> {
  try {
    await ask();
    return undefined;
  } catch (error) {
    return MillraceError.is(error) ? error.code : String(error);
  }
}
