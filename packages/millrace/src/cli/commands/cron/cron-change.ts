import { formatMs, MillraceError } from "@millrace/core";
import { audited } from "../../../client/audit.ts";
import type { ScheduleChange } from "../../../client/schedules/cron.ts";
import type { Millrace } from "../../../client/millrace.ts";
import { text } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { withClient } from "../../with-client.ts";
import { parsePayload, payloadText } from "../enqueue.ts";
import { timeOf } from "./cron-list.ts";
import { timingFlags, timingOf } from "./cron-timing.ts";

const flags = {
  cron: {
    kind: { ...text, placeholder: "<expression>" },
    about: "When it is due: 5 fields, or 6 with seconds first",
  },
  ...timingFlags(() => ""),
} as const;

export const cronChange = command({
  name: "cron change",
  summary:
    "Change when a schedule is due, how it behaves, or its payload; what is not given stays as it is",
  usage: "NAME [PAYLOAD|-|@FILE]",
  args: { min: 1, max: 2 },
  flags,
  fields: ["connection", "namespace"],
  examples: [
    ["millrace cron change nightly --cron '0 4 * * *'", "At four from now on; the rest stays"],
    [`millrace cron change nightly '{"kind":"weekly"}'`, "Another payload"],
  ],
  async run({ args: [name = "", source], flags: given, config, io }) {
    const change = {
      ...timingOf(given),
      ...(given.cron === undefined ? {} : { cron: given.cron }),
      ...(source === undefined ? {} : { payload: parsePayload(await payloadText(source, io)) }),
    };
    if (Object.keys(change).length === 0)
      throw new MillraceError(
        "invalid-option",
        "Give what is to change, such as --cron '0 4 * * *'. See millrace cron change --help.",
      );
    const [next] = await withClient(config, async (client) => {
      await audited(
        client,
        { action: "cron change", filter: { name, ...(await onRecord(client, name, change)) } },
        () => client.cron.change(name, change),
        () => ({ count: 1 }),
      );
      return client.cron.next(name, 1);
    });
    return {
      json: { name, next: next ?? null },
      text: (paint) => `${paint("green", "changed")} ${name}; next at ${timeOf(next)}\n`,
    };
  },
});

/** What is set and what it was, so that it can be changed back. No payload: it may be anything. */
async function onRecord(
  { cron }: Pick<Millrace, "cron">,
  name: string,
  { payload, ...timing }: ScheduleChange,
): Promise<{ readonly set: string; readonly was?: string }> {
  const set = JSON.stringify({ ...timing, ...(payload === undefined ? {} : { payload: "…" }) });
  const stored = (await cron.list()).find((one) => one.name === name);
  if (stored === undefined) return { set };
  const { jitterMs, lateAfterMs, ...rest } = stored;
  const before = { ...rest, jitter: formatMs(jitterMs), lateAfter: formatMs(lateAfterMs) };
  const was = Object.keys(timing).map((field) => [field, before[field as keyof typeof before]]);
  return { set, was: JSON.stringify(Object.fromEntries(was)) };
}
