import { type Cause, defined, findCauses } from "@millrace/core";
import { showValue } from "@millrace/telemetry/masking";
import { flag, text, whole } from "../../config/field-kinds.ts";
import { maskOf } from "../../config/mask-of.ts";
import { configuredIndex } from "../../search/configured-index.ts";
import { openJobIndex } from "../../search/job-index.ts";
import { command } from "../command.ts";
import { maskedMessage } from "../show/masked-message.ts";
import { type Column, table } from "../show/table.ts";
import { traceColumnsOf } from "../show/trace.ts";
import { withClient } from "../with-client.ts";
import { causeTerms } from "../completion/filter-terms.ts";

const COLUMNS: readonly Column<Cause>[] = [
  {
    title: "FAILURES",
    align: "right",
    cell: ({ failed }) => (failed === undefined ? "-" : String(failed.failures)),
  },
  { title: "DEAD", align: "right", cell: ({ letters }) => String(letters) },
  {
    title: "JOBS",
    align: "right",
    cell: ({ failed }) => (failed === undefined ? "-" : String(failed.jobs)),
  },
  { title: "NAME", cell: ({ name }) => name ?? "?" },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "FINGERPRINT", cell: ({ fingerprint = "" }) => fingerprint },
  { title: "FIRST", cell: ({ firstAt }) => new Date(firstAt).toISOString() },
  { title: "LAST", cell: ({ lastAt }) => new Date(lastAt).toISOString() },
  { title: "LAST ID", cell: ({ lastId }) => lastId },
];
const WHY: readonly Column<Cause>[] = [
  { title: "FRAME", cell: ({ frame = "" }) => frame },
  {
    title: "ERROR",
    cell: ({ error, message, reasons }) =>
      error === undefined ? reasons.join(", ") : `${error}: ${message ?? ""}`,
  },
];

export const errors = command({
  name: "errors",
  summary:
    "List why jobs fail: failed attempts, those too that were retried and succeeded, and dead letters by cause",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    queue: { kind: { ...text, placeholder: "<queue>" }, about: "Only causes in this queue" },
    filter: {
      kind: causeTerms,
      about:
        "Only causes that fit, or that have a dead letter which does: 'error~timeout age<2h' (docs filters)",
    },
    dead: { kind: flag, about: "Only causes of which there are dead letters now" },
    limit: { kind: whole(1, 9_999), about: "At most this many (default 100)" },
  },
  fields: ["connection", "namespace", "masking", "index", "tracing"],
  examples: [
    ["millrace errors", "The most frequent causes of failed attempts in the last seven days"],
    [
      "millrace errors --job-index jobs.db --queue mail --filter 'age<1h'",
      "What failed in one queue within the last hour, out of an index that is kept in a file",
    ],
  ],
  async run({ flags, config }) {
    const { queue, filter, dead: deadOnly = false, limit = 100 } = flags;
    const { namespace } = config;
    const configured = configuredIndex(config);
    const mask = maskOf(config);
    const found = await withClient(config, async (client) => {
      await using index = await openJobIndex({
        ...{ broker: client.broker, namespace, mask },
        ...configured,
      });
      await index.caughtUp();
      return await findCauses(
        { dead: client.dead, index },
        {
          ...{ limit, deadOnly },
          ...defined({ queue, where: filter }),
        },
      );
    });
    const show = showValue(false, mask);
    const causes = found.causes.map((cause) => ({ ...cause, ...maskedMessage(cause, show) }));
    return {
      json: causes,
      text: (paint) => {
        if (causes.length === 0) return "nothing failed\n";
        const traces = traceColumnsOf(causes, ({ lastTraceId }) => lastTraceId, config.traceUrl);
        return table([...COLUMNS, ...traces, ...WHY], causes, paint);
      },
    };
  },
});
