import { defined, formatMs, type HistoryRecord } from "@millrace/core";
import { RECORDED_STATES } from "../../../client/jobs/jobs.ts";
import { watchRecords } from "../../../client/jobs/results/watch-records.ts";
import { flag, oneOf, text, timerDuration, whole } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { EXIT } from "../../exit-codes.ts";
import { interruptible } from "../../serving/interrupt.ts";
import type { Paint, Style } from "../../io.ts";
import { clean } from "../../show/clean.ts";
import { shownRecord, showValue } from "@millrace/telemetry/masking";
import { stateColour } from "../../show/state-colour.ts";
import { shownTrace } from "../../show/trace.ts";
import { withClient } from "../../with-client.ts";
import { jsonText } from "../../show/json-text.ts";

export const jobsWatch = command({
  name: "jobs watch",
  summary:
    "Show what becomes of jobs as it happens, a line for each attempt that ends, until Ctrl-C",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    queue: { kind: { ...text, placeholder: "<queue>" }, about: "Show one queue only" },
    name: { kind: { ...text, placeholder: "<name>" }, about: "Show one handler only" },
    state: { kind: oneOf(...RECORDED_STATES), about: "Only what ends so" },
    count: { kind: whole(1, 1_000_000), about: "End after so many lines" },
    for: { kind: timerDuration, about: "End after this time" },
    "show-payload": { kind: flag, about: "Errors, and with --json results, as they are" },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    ["millrace jobs watch --queue mail", "Everything that ends in the queue mail"],
    ["millrace jobs watch --state dead --json", "One JSON document a line, for a pipe"],
  ],
  async run({ flags, config, io, json }) {
    const { queue, name, state, count = Infinity } = flags;
    const show = showValue(flags["show-payload"], maskOf(config));
    const timed = new AbortController();
    await interruptible((interrupt) =>
      withClient(config, async ({ broker }) => {
        const ends = [interrupt, timed.signal, ...(io.unread === undefined ? [] : [io.unread])];
        const signal = AbortSignal.any(ends);
        const note = (text: string, style: Style): void => {
          if (!json) io.err(`${io.paintErr(style, text)}\n`);
        };
        const unlisten = broker.onStatus((status) => {
          if (status !== "closed") note(status, "yellow");
        });
        const query = defined({ queue, name, state, signal });
        let timer: NodeJS.Timeout | undefined;
        const onListening = (): void => {
          note("watching; Ctrl-C ends it", "dim");
          if (flags.for !== undefined) timer = setTimeout(() => timed.abort(), flags.for);
        };
        let left = count;
        try {
          for await (const record of watchRecords(broker, query, onListening)) {
            const shown = shownRecord(record, show);
            io.out(json ? `${jsonText(shown)}\n` : line(shown, io.paint, config.traceUrl));
            left -= 1;
            if (left <= 0) break;
            // Where the reader is slow records wait, and only so many may.
            await io.taken?.(signal);
          }
        } finally {
          clearTimeout(timer);
          unlisten();
        }
      }),
    );
    return EXIT.ok;
  },
});

/** Pure. */
export function line(record: HistoryRecord, paint: Paint, traceUrl?: string): string {
  const { at, state, queue, id, name, attempts, durationMs, node, error, reason, traceId } = record;
  return `${[
    paint("dim", new Date(at).toISOString()),
    paint(stateColour(state), state.padEnd(9)),
    `${clean(queue)}/${clean(id)}`,
    clean(name),
    `attempt ${attempts}`,
    ...(durationMs === undefined ? [] : [formatMs(Math.round(durationMs))]),
    paint("dim", clean(node)),
    ...(reason === undefined ? [] : [clean(reason)]),
    ...(error === undefined ? [] : [paint("red", clean(`${error.type}: ${error.message}`, 200))]),
    ...(traceId === undefined
      ? []
      : [paint("dim", clean(`trace ${shownTrace(traceId, traceUrl)}`, 1_000))]),
  ].join("  ")}\n`;
}
