import { type Mask, shownFilter, showValue } from "@millrace/telemetry/masking";
import { type AuditOutcome, auditOutcomeText } from "@millrace/core";
import { AUDIT_BUCKET, type AuditRecord } from "../../../client/audit.ts";
import type { Millrace } from "../../../client/millrace.ts";
import { duration, text, whole } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { filterText } from "../../show/operations.ts";
import { type Column, table } from "../../show/table.ts";
import { withClient } from "../../with-client.ts";

const COLUMNS: readonly Column<AuditRecord>[] = [
  { title: "AT", cell: ({ at }) => new Date(at).toISOString() },
  { title: "BY", cell: ({ by }) => by },
  { title: "ACTION", cell: ({ action }) => action },
  { title: "WHICH", cell: filterText },
  { title: "OUTCOME", cell: ({ outcome }) => auditOutcomeText(outcome) },
  { title: "REASON", cell: ({ reason = "" }) => reason },
];

export const auditList = command({
  name: "audit list",
  summary: "List what operators changed, the newest first: when, who, what, which and how many",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    action: { kind: text, about: "Only what begins so: dead, nodes stop" },
    since: { kind: duration, about: "Only what was done within this time" },
    limit: { kind: whole(1, 10_000), about: "At most so many; default 50" },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace audit list --action dead --since 7d", "Who retried what this week"]],
  async run({ flags: { action, since, limit = 50 }, config }) {
    const listed = await withClient(config, async (client) =>
      client.audit.list({
        limit,
        ...(action === undefined ? {} : { action }),
        ...(since === undefined ? {} : { since: (await now(client)) - since }),
      }),
    );
    const mask = maskOf(config);
    const show = showValue(false, mask);
    const records = listed.map((record) => ({
      ...record,
      filter: shownFilter(record.filter, show),
      outcome: shownOutcome(record.outcome, mask),
      ...(record.reason === undefined ? {} : { reason: mask.text(record.reason) }),
    }));
    return {
      json: records,
      text: (paint) =>
        records.length === 0 ? "nothing is on record\n" : table(COLUMNS, records, paint),
    };
  },
});

/** Another program may have written it, whose own mask hides less. */
function shownOutcome(outcome: AuditOutcome, mask: Mask): AuditOutcome {
  return outcome.state === "failed" ? { ...outcome, message: mask.text(outcome.message) } : outcome;
}

/** By the clock that dates the records. */
async function now({ broker }: Millrace): Promise<number> {
  return (await broker.documents(AUDIT_BUCKET, { look: true })).now();
}
