import { defined, MillraceError, type QueueControls } from "@millrace/core";
import { audited } from "../../../client/audit.ts";
import {
  countFrom0OrNone,
  countOrNone,
  queuesOrNone,
  rateOrNone,
} from "../../../config/limit-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command, type CommandCall } from "../../command.ts";
import { clean } from "../../show/clean.ts";
import { shownMarks } from "../../show/queue-state.ts";
import { limitWords } from "../../show/limits.ts";
import { withClient } from "../../with-client.ts";
import type { QueueChange } from "../../../client/queues/queues.ts";

const flags = {
  concurrency: { kind: countOrNone, about: "Jobs of the queue that run at once, over all nodes" },
  rate: { kind: rateOrNone, about: "Jobs of the queue that start in a time, over all nodes" },
  "key-concurrency": { kind: countOrNone, about: "Jobs of one key that run at once" },
  "key-rate": { kind: rateOrNone, about: "Jobs of one key that start in a time" },
  "sends-to": {
    kind: queuesOrNone,
    about: "Other queues that jobs of this queue's producers may be followed by jobs in",
  },
  "max-parked": {
    kind: countFrom0OrNone,
    about: "Jobs of its producers that may wait for a later start, and as many at gates",
  },
  "max-jobs": { kind: countOrNone, about: "Jobs the queue takes before it refuses producers" },
  "max-bytes": { kind: countOrNone, about: "Bytes the queue takes before it refuses producers" },
} as const;

export const queuesSet = command({
  name: "queues set",
  summary: "Limit a queue over all nodes, from now on and over restarts; none takes a limit away",
  usage: "QUEUE",
  args: { min: 1, max: 1 },
  flags,
  fields: ["connection", "namespace", "masking"],
  examples: [
    ["millrace queues set mail --concurrency 20 --rate 100/1s", "Both, over the whole fleet"],
    ["millrace queues set mail --rate none", "No rate again; the rest stays"],
    ["millrace queues set mail --sends-to print", "Chains of its producers may go on in print"],
  ],
  async run({ args: [queue = ""], flags: given, config }) {
    const change = changeOf(given);
    if (Object.keys(change).length === 0)
      throw new MillraceError(
        "invalid-option",
        "Give what is to be set, such as --concurrency 20. See millrace queues set --help.",
      );
    const controls = await withClient(config, (client) =>
      audited(
        client,
        { action: "queues set", filter: { queue, set: JSON.stringify(change) } },
        () => client.queues.set(queue, change),
        () => ({ count: 1 }),
      ),
    );
    return {
      json: { queue, ...shownMarks(controls, maskOf(config)) },
      text: () => `${clean(queue)}: ${inWords(controls, change)}\n`,
    };
  },
});

function changeOf(given: CommandCall<typeof flags>["flags"]): QueueChange {
  const { concurrency, rate } = given;
  const maxJobs = given["max-jobs"];
  const maxBytes = given["max-bytes"];
  const sendsTo = given["sends-to"];
  const maxParked = given["max-parked"];
  const perKey = defined({ concurrency: given["key-concurrency"], rate: given["key-rate"] });
  return {
    ...defined({ concurrency, rate }),
    ...(Object.keys(perKey).length === 0 ? {} : { perKey }),
    ...defined({ sendsTo, maxParked, maxJobs, maxBytes }),
  };
}

function inWords(
  { concurrency, rate, perKey, sendsTo = [], maxParked }: QueueControls,
  { maxJobs, maxBytes }: QueueChange,
): string {
  const words = [
    ...limitWords({ concurrency, rate }),
    ...limitWords(perKey ?? {}).map((word) => `${word} per key`),
    ...(sendsTo.length === 0
      ? []
      : [`sends on to ${sendsTo.map((name) => clean(name)).join(", ")}`]),
    ...(maxParked === undefined ? [] : [`parks up to ${maxParked}`]),
    ...roomWords(maxJobs, "jobs"),
    ...roomWords(maxBytes, "bytes"),
  ];
  return words.length === 0 ? "no limits are set" : words.join(", ");
}

/** They are the queue's own and no control; what was set just now is said. */
function roomWords(most: number | null | undefined, what: string): readonly string[] {
  if (most === undefined) return [];
  return [most === null ? `takes any number of ${what}` : `takes up to ${most} ${what}`];
}
