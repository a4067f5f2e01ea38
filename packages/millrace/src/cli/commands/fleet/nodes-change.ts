import { setTimeout as delay } from "node:timers/promises";
import { MillraceError } from "@millrace/core";
import type { Millrace } from "../../../client/millrace.ts";
import type { NodeStatus } from "../../../client/nodes.ts";
import type { ControlNote } from "../../../client/queues/queues.ts";
import { duration, flag, text } from "../../../config/field-kinds.ts";
import { command, type Report } from "../../command.ts";
import { ASKS_FIRST, confirmed } from "../../confirm.ts";
import { EXIT } from "../../exit-codes.ts";
import { interruptible } from "../../serving/interrupt.ts";
import { clean } from "../../show/clean.ts";
import { withClient } from "../../with-client.ts";

const flags = {
  all: { kind: flag, about: "Every node that is there" },
  reason: { kind: text, about: "Shown wherever the node is" },
  wait: { kind: duration, about: "Wait until they have obeyed, but no longer; exits 1 then" },
  yes: { kind: flag, about: ASKS_FIRST },
} as const;

const LOOK_MS = 250;

interface Change {
  /** As typed. */
  readonly verb: "quiet" | "resume" | "stop";
  readonly summary: string;
  readonly example: readonly [string, string];
  readonly asks: (names: readonly string[], all: boolean) => string | undefined;
  /** @param node undefined where it is gone */
  readonly hasObeyed: (node: NodeStatus | undefined) => boolean;
}

export const nodesQuiet = change({
  verb: "quiet",
  summary:
    "Let nodes take no new jobs; what runs goes on, and they stay up, until they are resumed. Asks first for more than one",
  example: ["millrace nodes quiet web-1-4711-ab12 --reason memory", "While somebody looks at it"],
  asks: (names, all) =>
    all || names.length > 1 ? `Let ${names.length} nodes take no new jobs?` : undefined,
  hasObeyed: (node) => node === undefined || node.obeys === "quiet",
});

export const nodesResume = change({
  verb: "resume",
  summary: "Let quiet nodes take jobs again",
  example: ["millrace nodes resume --all", "All of them"],
  asks: () => undefined,
  hasObeyed: (node) => node === undefined || node.obeys === "running",
});

export const nodesStop = change({
  verb: "stop",
  summary:
    "Stop nodes as SIGTERM does: what runs may end within the grace. Whatever keeps them up may start them again. Asks first",
  example: ["millrace nodes stop web-1-4711-ab12 --yes --wait 1m", "And wait until it is gone"],
  asks: (names) => `Stop ${names.length === 1 ? clean(names[0] ?? "") : `${names.length} nodes`}?`,
  hasObeyed: (node) => node === undefined,
});

function change({ verb, summary, example, asks, hasObeyed }: Change) {
  return command({
    name: `nodes ${verb}`,
    summary,
    usage: "NODE… | --all",
    args: { min: 0, max: 1_000 },
    flags,
    fields: ["connection", "namespace"],
    examples: [example],
    async run(call): Promise<Report> {
      const { all = false, yes, reason, wait } = call.flags;
      if ((call.args.length === 0) !== all)
        throw new MillraceError("invalid-option", "Give the names of nodes, or --all.");
      return withClient(call.config, async (client) => {
        const names = all ? await everyNode(client) : call.args;
        const question = names.length === 0 ? undefined : asks(names, all);
        if (question !== undefined && !(await confirmed(call.io, yes, question)))
          return reportOf(verb, [], [], []);
        const note = reason === undefined ? {} : { reason };
        const { ordered, failed } = await orderAll(client, verb, names, note);
        const late = wait === undefined ? [] : await untilObeyed(client, ordered, hasObeyed, wait);
        return reportOf(verb, ordered, failed, late);
      });
    },
  });
}

interface Failed {
  readonly node: string;
  readonly error: MillraceError;
}

async function everyNode(client: Millrace): Promise<readonly string[]> {
  return (await client.nodes.list()).map(({ name }) => name);
}

/** One that is not there fails by itself: the others are ordered all the same. */
async function orderAll(
  client: Millrace,
  verb: Change["verb"],
  names: readonly string[],
  note: ControlNote,
): Promise<{ ordered: readonly string[]; failed: readonly Failed[] }> {
  const ordered: string[] = [];
  const failed: Failed[] = [];
  for (const node of names) {
    try {
      await client.nodes[verb](node, note);
      ordered.push(node);
    } catch (error) {
      if (!MillraceError.is(error, "node-not-found")) throw error;
      failed.push({ node, error });
    }
  }
  return { ordered, failed };
}

/** @returns those that have not obeyed by then */
function untilObeyed(
  client: Millrace,
  names: readonly string[],
  hasObeyed: Change["hasObeyed"],
  waitMs: number,
): Promise<readonly string[]> {
  const end = performance.now() + waitMs;
  return interruptible(async (signal) => {
    for (;;) {
      const nodes = new Map((await client.nodes.list()).map((node) => [node.name, node]));
      const late = names.filter((name) => !hasObeyed(nodes.get(name)));
      if (late.length === 0 || performance.now() >= end || signal.aborted) return late;
      await delay(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  });
}

const DONE = { quiet: "ordered to be quiet", resume: "resumed", stop: "ordered to stop" } as const;

function reportOf(
  verb: Change["verb"],
  ordered: readonly string[],
  failed: readonly Failed[],
  late: readonly string[],
): Report {
  return {
    json: {
      ordered,
      failed: failed.map(({ node, error: { code, message } }) => ({
        node,
        error: { code, message },
      })),
      late,
    },
    text: (paint) =>
      [
        ...failed.map(({ error }) => `${paint("red", "failed")} ${clean(error.message, 500)}\n`),
        ...late.map((node) => `${paint("yellow", "late")} ${clean(node)} has not obeyed yet\n`),
        ordered.length === 0
          ? "nothing was ordered\n"
          : `${DONE[verb]}: ${ordered.map((node) => clean(node)).join(", ")}\n`,
      ].join(""),
    ...(failed.length > 0 || late.length > 0 || ordered.length === 0
      ? { exitCode: EXIT.failed }
      : {}),
  };
}
