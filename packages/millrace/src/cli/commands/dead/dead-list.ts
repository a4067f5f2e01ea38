import {
  type DeadLetterGroup,
  type DeadReason,
  defined,
  type StoredDeadLetter,
  tracePart,
} from "@millrace/core";
import { DEAD_REASONS, type DeadLetterFilter } from "../../../client/dead/dead-matching.ts";
import { flag, oneOf, text, whole } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { shownError, showValue } from "@millrace/telemetry/masking";
import { maskedMessage } from "../../show/masked-message.ts";
import { type Column, table } from "../../show/table.ts";
import { traceColumns, traceColumnsOf } from "../../show/trace.ts";
import { withClient } from "../../with-client.ts";
import { deadTerms } from "../../completion/filter-terms.ts";

export const filterFlags = {
  queue: { kind: { ...text, placeholder: "<queue>" }, about: "Only letters of this queue" },
  reason: {
    kind: { ...oneOf(...DEAD_REASONS), placeholder: "<reason>" },
    about: `Only letters with this reason: ${DEAD_REASONS.join(", ")}`,
  },
  filter: {
    kind: deadTerms,
    about:
      "Only letters that fit: 'name=mail.* message~refused', 'payload.customer:42 -age>2h' (docs filters)",
  },
} as const;

export function filterOf({
  queue,
  reason,
  filter,
}: {
  readonly queue?: string;
  readonly reason?: DeadReason;
  readonly filter?: string;
}): Pick<DeadLetterFilter, "queue" | "reason" | "where"> {
  return defined({ where: filter, queue, reason });
}

type ShownLetter = StoredDeadLetter & { readonly traceId?: string };

const COLUMNS: readonly Column<ShownLetter>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "NAME", cell: ({ name }) => name ?? "?" },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "REASON", cell: ({ reason }) => reason },
  { title: "ATTEMPTS", align: "right", cell: ({ attempts }) => String(attempts) },
  { title: "AT", cell: ({ at }) => new Date(at).toISOString() },
];
const ERROR: Column<ShownLetter> = {
  title: "ERROR",
  cell: ({ error }) => (error === undefined ? "" : `${error.type}: ${error.message}`),
};

const GROUP_COLUMNS: readonly Column<DeadLetterGroup>[] = [
  { title: "COUNT", align: "right", cell: ({ count }) => String(count) },
  { title: "NAME", cell: ({ name }) => name ?? "?" },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "REASON", cell: ({ reason }) => reason },
  { title: "FINGERPRINT", cell: ({ fingerprint = "" }) => fingerprint },
  { title: "LAST", cell: ({ lastAt }) => new Date(lastAt).toISOString() },
  { title: "LAST ID", cell: ({ lastId }) => lastId },
];
const GROUP_WHY: readonly Column<DeadLetterGroup>[] = [
  { title: "FRAME", cell: ({ frame = "" }) => frame },
  {
    title: "ERROR",
    cell: ({ error, message }) => (error === undefined ? "" : `${error}: ${message ?? ""}`),
  },
];

export const deadList = command({
  name: "dead list",
  summary: "List dead letters: jobs that are not tried again by themselves, oldest first",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    ...filterFlags,
    limit: { kind: whole(1, 1_000_000), about: "At most this many (default 100)" },
    group: {
      kind: flag,
      about: "Count all of them by queue, job, reason and fingerprint of the error instead",
    },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    [
      "millrace dead list --queue mail --reason attempts-exhausted",
      "Those of one queue whose attempts were spent",
    ],
    ["millrace dead list --group", "What they died of, the most frequent cause first"],
    [
      "millrace dead list --filter fingerprint:4f0c1a9be213",
      "The letters of one cause, by the fingerprint that --group shows",
    ],
  ],
  async run({ flags, config }) {
    const { limit = 100 } = flags;
    const show = showValue(false, maskOf(config));
    if (flags.group === true) {
      const groups = (
        await withClient(config, (client) => client.dead.groups(filterOf(flags)))
      ).map((group) => ({ ...group, ...maskedMessage(group, show) }));
      return {
        json: groups,
        text: (paint) => {
          if (groups.length === 0) return "no dead letters\n";
          const traces = traceColumnsOf(groups, ({ lastTraceId }) => lastTraceId, config.traceUrl);
          return table([...GROUP_COLUMNS, ...traces, ...GROUP_WHY], groups, paint);
        },
      };
    }
    const found = await withClient(config, (client) =>
      client.dead.list({ ...filterOf(flags), limit }),
    );
    const letters = found.map((letter) => ({
      ...letter,
      ...(letter.error === undefined ? {} : { error: shownError(letter.error, show) }),
      ...tracePart(letter.headers),
    }));
    return {
      json: letters.map(({ id, name, queue, reason, attempts, error, at, traceId }) => ({
        id,
        name: name ?? null,
        queue,
        reason,
        attempts,
        error: error ?? null,
        at,
        ...(traceId === undefined ? {} : { traceId }),
      })),
      text: (paint) =>
        letters.length === 0
          ? "no dead letters\n"
          : table([...COLUMNS, ...traceColumns(letters, config.traceUrl), ERROR], letters, paint),
    };
  },
});
