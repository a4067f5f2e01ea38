import { setTimeout as delay } from "node:timers/promises";
import { formatMs, MillraceError } from "@millrace/core";
import type { Millrace } from "../../client/millrace.ts";
import type { Config } from "../../config/fields.ts";
import { flag, timerDuration } from "../../config/field-kinds.ts";
import { maskOf } from "../../config/mask-of.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { interruptible } from "../serving/interrupt.ts";
import type { CliIo, Screen } from "../io.ts";
import { clean } from "../show/clean.ts";
import { shownNode } from "../show/nodes.ts";
import { shownMarks } from "../show/queue-state.ts";
import { frame, type TopView } from "../top/frame.ts";
import { nextPaces, paceOf, type Paces } from "../top/rates.ts";
import { withClient } from "../with-client.ts";

const EVERY_MS = 5_000;
const LEAST_EVERY_MS = 1_000;

/** The terminal's other screen, without its cursor and without wrapping; and back. */
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const REDRAW = "\u001b[H\u001b[J";

export const top = command({
  name: "top",
  summary:
    "Watch queues, rates, nodes, slots and locks on a terminal, until Ctrl-C; once, and plain, in a pipe",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    once: { kind: flag, about: "Print it once and end; so it is in a pipe and with --json" },
    every: { kind: timerDuration, about: "How often it is drawn, from 1s; default 5s" },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [
    ["millrace top --every 2s", "Live"],
    ["millrace top --json", "For scripts: {namespace, at, queues, nodes, locks}"],
  ],
  async run({ flags: { once, every = EVERY_MS }, config, io, json }) {
    if (every < LEAST_EVERY_MS)
      throw new MillraceError("invalid-option", "--every: must be at least 1s.");
    const { screen } = io;
    if (screen !== undefined && once !== true && !json) {
      await interruptible((signal) =>
        withClient(config, (client) => live({ client, config, io, screen, every, signal })),
      );
      return EXIT.ok;
    }
    const view = await withClient(
      config,
      async (client) => (await look(client, config, new Map())).view,
    );
    return { json: view, text: (paint) => frame(view, paint) };
  },
});

async function look(
  client: Millrace,
  config: Config,
  before: Paces,
): Promise<{ readonly view: TopView; readonly paces: Paces }> {
  const [queues, nodes, locks] = await Promise.all([
    client.queues.list(),
    client.nodes.list(),
    client.broker.locks.list(),
  ]);
  const paces = nextPaces(before, nodes);
  const mask = maskOf(config);
  return {
    paces,
    view: {
      namespace: config.namespace,
      at: Date.now(),
      queues: queues
        .map((status) => ({
          ...shownMarks(status, mask),
          endedPerSecond: paceOf(paces, status.queue) ?? null,
        }))
        .toSorted((a, b) => (a.queue < b.queue ? -1 : 1)),
      nodes: nodes.map((node) => shownNode(node, mask)),
      locks,
    },
  };
}

interface Live {
  readonly client: Millrace;
  readonly config: Config;
  readonly io: CliIo;
  readonly screen: Screen;
  readonly every: number;
  readonly signal: AbortSignal;
}

async function live({ client, config, io, screen, every, signal }: Live): Promise<void> {
  let paces: Paces = new Map();
  let shown = "";
  let seenAt: number | undefined;
  io.out(ENTER);
  try {
    while (!signal.aborted) {
      let trouble = "";
      try {
        const seen = await look(client, config, paces);
        paces = seen.paces;
        shown = frame(seen.view, io.paint);
        seenAt = seen.view.at;
      } catch (error) {
        // The server may be back at the next look; a defect may not be looked past.
        if (!MillraceError.is(error)) throw error;
        trouble = `${io.paint("red", `${error.code}: ${clean(error.message, 200)}`)}\n${ageOf(seenAt, io)}`;
      }
      io.out(REDRAW + fitted(trouble + shown, screen.rows));
      await delay(every, undefined, { signal }).catch(() => {});
    }
  } finally {
    io.out(LEAVE);
  }
}

/** In an outage the last figures stay, and are not to be taken for today's. */
function ageOf(seenAt: number | undefined, { paint }: CliIo): string {
  if (seenAt === undefined) return "";
  return `${paint("yellow", `old figures, of ${formatMs(Date.now() - seenAt)} ago:`)}\n`;
}

/** What does not fit would scroll the top away. */
function fitted(text: string, rows: number): string {
  return text
    .split("\n")
    .slice(0, Math.max(1, rows - 1))
    .join("\n");
}
