import type { MachineDocument } from "@millrace/core";
import type { MachineEvidence } from "./evidence.ts";
import {
  liveThroughMachines,
  type MachinesWorld,
  type MachinesWorldOptions,
} from "./machines-world.ts";
import { BEAT_MS, BEATS, type Order, PATIENCE_MS } from "./order.ts";

/** What must never be, whatever fault there was. */
export type MachineViolation =
  /** It did not come to its end, or a confirmed event is not in it. */
  | "lost"
  | "taken-twice"
  /** Events of one sender in another order than it sent them. */
  | "out-of-order"
  /** A timer came too early, once too often or not at all. */
  | "timer"
  /** A job that its chart invoked once was enqueued twice, or its end is not what was heard. */
  | "job"
  /** What follows from a transition was never done. */
  | "undone"
  /** A document was written that does not go on from the one before. */
  | "fork"
  | "stuck";

export interface Found {
  readonly is: MachineViolation;
  readonly machine: string | undefined;
  readonly detail: string;
}

/** A seed's world, and what is wrong with it. The oracle knows of no fault. */
export async function judgeMachines(
  options: MachinesWorldOptions,
): Promise<{ readonly world: MachinesWorld; readonly found: readonly Found[] }> {
  const world = await liveThroughMachines(options);
  return { world, found: [...judge(world)] };
}

function* judge({ evidence, leftovers, isOver }: MachinesWorld): Generator<Found> {
  if (!isOver) yield { is: "stuck", machine: undefined, detail: "customers still wait" };
  for (const { what, detail } of leftovers)
    yield { is: "stuck", machine: undefined, detail: `${what} ${detail}` };
  for (const order of evidence.sent.keys()) {
    const documents = evidence.documents.get(`order.${order}`) ?? [];
    const problem = (is: MachineViolation, detail: string): Found => ({
      ...{ is, machine: order, detail },
    });
    yield* [
      ...lineage(documents).map((detail) => problem("fork", detail)),
      ...timers(documents).map((detail) => problem("timer", detail)),
    ];
    const last = documents.at(-1);
    if (last?.status !== "done") {
      const where = JSON.stringify(last?.value);
      yield problem("lost", `it is ${last?.status} in ${where}, ${last?.trouble?.error.message}`);
      continue;
    }
    const seen = last.output as Order;
    yield* pings(evidence, order, seen).map(([is, detail]) => problem(is, detail));
    if (seen.beats !== BEATS) yield problem("timer", `${seen.beats} beats, not ${BEATS}`);
    if (seen.reserved !== 1) yield problem("lost", `it heard ${seen.reserved} times of the stock`);
    const reserved = evidence.documents.get("stock.all")?.at(-1)?.context as { orders: string[] };
    const times = reserved.orders.filter((one) => one === order).length;
    if (times !== 1) yield problem("taken-twice", `the stock heard ${times} times of it`);
    yield* jobs(evidence, order, seen).map((detail) => problem("job", detail));
    if (!evidence.told.has(order)) yield problem("undone", "its own action was never done");
  }
}

/** Each document is one write further than the one before. */
function lineage(documents: readonly MachineDocument[]): readonly string[] {
  return documents.flatMap(({ rev, run }, at) => {
    const before = documents[at - 1];
    const goesOn = before === undefined ? rev === 1 : rev === before.rev + 1 && run === before.run;
    return goesOn ? [] : [`${before?.run}/${before?.rev} is followed by ${run}/${rev}`];
  });
}

/** No timer comes before its time, as its transitions' own times show. */
function timers(documents: readonly MachineDocument[]): readonly string[] {
  return documents.flatMap((document, at) => {
    const before = documents[at - 1];
    const event = document.trail.at(-1)?.event ?? "";
    if (before === undefined) return [];
    if (JSON.stringify(before.trail) === JSON.stringify(document.trail)) return [];
    const due =
      event === "BEAT" ? BEAT_MS : event.startsWith("xstate.after.") ? PATIENCE_MS : undefined;
    const waited = document.changedAt - enteredAt(documents, at - 1);
    return due === undefined || waited >= due
      ? []
      : [`${event} came ${waited} ms after ${JSON.stringify(before.value)} was entered`];
  });
}

/** When the state was entered that a document is in: by the last event that was no ping. */
function enteredAt(documents: readonly MachineDocument[], at: number): number {
  for (let i = at; i > 0; i -= 1) {
    const [one, before] = [documents[i], documents[i - 1]];
    if (one === undefined || before === undefined) break;
    const isBeat = (one.context as Order).beats !== (before.context as Order).beats;
    if (isBeat || one.value !== before.value) return one.changedAt;
  }
  return documents[0]?.changedAt ?? 0;
}

function pings(
  { sent }: MachineEvidence,
  order: string,
  { pings: taken }: Order,
): readonly [MachineViolation, string][] {
  const found: [MachineViolation, string][] = [];
  const twice = taken.filter((n, at) => taken.indexOf(n) !== at);
  if (twice.length > 0) found.push(["taken-twice", `pings ${twice.join(", ")}`]);
  for (const mine of sent.get(order) ?? []) {
    const missing = mine.filter((n) => !taken.includes(n));
    if (missing.length > 0) found.push(["lost", `pings ${missing.join(", ")}`]);
    const came = taken.filter((n) => mine.includes(n));
    if (came.some((n, at) => n < (came[at - 1] ?? -1)))
      found.push(["out-of-order", came.join(", ")]);
  }
  return found;
}

function jobs(
  { runs, stored, ends }: MachineEvidence,
  order: string,
  seen: Order,
): readonly string[] {
  const heard = { charge: seen.charged, ship: seen.shipped };
  return ["charge", "ask", "ship"].flatMap((name) => {
    const ids = new Set(
      runs.filter((run) => run.job === name && run.order === order).map(({ id }) => id),
    );
    if (ids.size > 1) return [`${name} is ${ids.size} jobs`];
    const [id] = ids;
    if (name === "ask") return [];
    if (id === undefined) return [`${name} has never run`];
    const result = heard[name as keyof typeof heard];
    const times = stored.filter((one) => one === id).length;
    return [
      ...(times > 1 ? [`${name} was enqueued ${times} times`] : []),
      ...(ends.get(id) === "succeeded" ? [] : [`${name} is ${ends.get(id)}`]),
      ...(result === `${name} ${order}` ? [] : [`the end of ${name} was heard as ${result}`]),
    ];
  });
}
