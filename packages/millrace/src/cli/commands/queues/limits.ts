import type { LimitUse, QueueLimits } from "../../../client/queues/queue-limits.ts";
import { command } from "../../command.ts";
import { limitWords } from "../../show/limits.ts";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";

interface Row {
  readonly queue: string;
  readonly limit: string;
  readonly use: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "LIMIT", cell: ({ limit }) => limit },
  { title: "USED BY", cell: ({ use }) => use },
];

export const limits = command({
  name: "limits",
  summary:
    "Show how much queues may hold and the limits that count over all nodes, and who uses them",
  usage: "[QUEUE]",
  args: { min: 0, max: 1 },
  flags: {},
  fields: ["connection", "namespace"],
  examples: [
    ["millrace limits mail --json", "For scripts: [{queue, concurrency?, rate?, perKey?, size?}]"],
  ],
  async run({ args: [queue], config }) {
    const all = await withClient(config, async (client) => {
      if (queue !== undefined) await client.queues.snapshot(queue);
      return client.queues.limits(queue);
    });
    const rows = all.flatMap(rowsOf);
    return {
      json: all,
      text: (paint) => (rows.length === 0 ? "no limits are set\n" : table(COLUMNS, rows, paint)),
    };
  },
});

function rowsOf({ queue, concurrency, rate, perKey, size }: QueueLimits): readonly Row[] {
  const rows: Row[] = [];
  if (concurrency !== undefined) {
    const [limit = "by the nodes' own options"] = limitWords({ concurrency: concurrency.limit });
    rows.push({ queue, limit, use: usedBy(concurrency.holders, "free") });
  }
  if (rate !== undefined) {
    const [limit = ""] = limitWords({ rate });
    const use = `${usedBy(rate.holders, "nobody")}; ${rate.available} left now`;
    rows.push({ queue, limit, use });
  }
  if (perKey !== undefined) {
    const words = limitWords(perKey).map((word) => `${word} per key`);
    const limit = words.length === 0 ? "per key, by the jobs' definitions" : words.join(", ");
    const keys = new Set(perKey.holders.map(({ key }) => key)).size;
    const first = Math.min(...perKey.holders.map(({ since = Infinity }) => since));
    const since = first === Infinity ? "" : `, the first ${sinceWords(first)}`;
    rows.push({ queue, limit, use: `${perKey.holders.length} jobs of ${keys} keys${since}` });
  }
  if (size !== undefined) {
    const { maxJobs, maxBytes, jobs } = size;
    const limit = [
      ...(maxJobs === undefined ? [] : [`${maxJobs} jobs`]),
      ...(maxBytes === undefined ? [] : [`${maxBytes} bytes`]),
    ].join(", ");
    const full = maxJobs !== undefined && jobs >= maxJobs ? "; FULL, producers are refused" : "";
    rows.push({ queue, limit: `holds up to ${limit}`, use: `${jobs} jobs${full}` });
  }
  return rows;
}

function usedBy(holders: readonly LimitUse[], nobody: string): string {
  if (holders.length === 0) return nobody;
  return holders
    .map(({ holder, count, since }) =>
      since === undefined ? `${holder} ${count}` : `${holder} ${count} ${sinceWords(since)}`,
    )
    .join(", ");
}

function sinceWords(since: number): string {
  return `since ${new Date(since).toISOString()}`;
}
