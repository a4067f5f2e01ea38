import { type DeadLetterResult, MillraceError, tallyLetters } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import type { DashboardUser } from "../../access/user.ts";
import type { Drains } from "../../fleet/drains.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { FleetIntent } from "../../fleet/fleet-audit.ts";
import { LIVE_STATES } from "../../fleet/live-states.ts";
import {
  askedCount,
  askedEdit,
  askedFilter,
  askedReason,
  askedSignal,
  askedTarget,
  askedTick,
  askedWhen,
  fields,
  filterWords,
} from "./asked.ts";
import type { ChangeView } from "../views/views.ts";

/** A change that was asked for: of what, by whom, and what was said with it. */
export interface Asking {
  readonly fleet: Fleet;
  readonly drains: Drains;
  readonly show: ShowValue;
  readonly user: DashboardUser;
  readonly body: unknown;
}

/** One thing was changed. */
export const ONE: ChangeView = { count: 1, failed: [] };
/** A group may have failed as a whole; the first few say why. */
const MOST_FAILURES = 20;

export async function retryLetters({ fleet, show, user, body }: Asking): Promise<ChangeView> {
  const filter = askedFilter(fields(body, "body")["filter"]);
  const results = await fleet.audit.perform(
    { action: "dead retry", filter: filterWords(filter), by: user.name },
    () => fleet.dead.retry(filter),
    tallyLetters,
  );
  return { count: tallyLetters(results).count, failed: failuresOf(results, show) };
}

/**
 * As an operation, which keeps what it discards and can be undone. One letter is discarded before
 * the answer, however many operations others are at.
 */
export async function discardLetters(asking: Asking): Promise<ChangeView> {
  const { fleet, user, body } = asking;
  const filter = askedFilter(fields(body, "body")["filter"]);
  const target = { kind: "dead-discard", filter, by: user.name } as const;
  const { id, total } = await fleet.operations.start(target);
  if (filter.id === undefined) return { count: total, failed: [], operation: id };
  return carriedOut(asking, id, {
    ...{ id: filter.id, message: "It was retried, or discarded, before it could be discarded." },
  });
}

/** Carried out by whoever serves operations, as this dashboard does. */
export async function startOperation({ fleet, user, body }: Asking): Promise<ChangeView> {
  const { kind: _kind, filter: _filter, delay: _delay, ...note } = fields(body, "body");
  const { id, total } = await fleet.operations.start({
    ...askedTarget(body),
    ...askedCount(body),
    ...askedReason(note),
    by: user.name,
  });
  return { count: total, failed: [], operation: id };
}

/** Another operation, which takes the first one back. */
export async function undoOperation(
  id: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  const undo = await fleet.operations.undo(id, { ...askedReason(body), by: user.name });
  return { count: undo.total, failed: [], operation: undo.id };
}

export async function stopOperation(id: string, { fleet, user }: Asking): Promise<ChangeView> {
  const { done } = await fleet.operations.stop(id, { by: user.name });
  return { count: done, failed: [] };
}

function failuresOf(results: readonly DeadLetterResult[], show: ShowValue): ChangeView["failed"] {
  return results
    .flatMap((result) =>
      result.ok ? [] : [{ id: result.id, message: String(show(result.error.message)) }],
    )
    .slice(0, MOST_FAILURES);
}

export async function changeQueue(
  queue: string,
  action: string,
  { fleet, drains, user, body }: Asking,
): Promise<ChangeView> {
  const note = askedReason(body);
  const intent: FleetIntent = {
    ...{ action: `queues ${action}`, filter: { queue }, by: user.name, ...note },
  };
  switch (action) {
    case "pause":
      await fleet.audit.perform(intent, () =>
        fleet.queues.pause(queue, { ...note, by: user.name }),
      );
      return ONE;
    case "drain":
      return {
        count: await drains.begin(queue, intent, { ...note, by: user.name }),
        failed: [],
      };
    case "resume":
      await fleet.audit.perform(intent, () => fleet.queues.resume(queue));
      return ONE;
    case "purge": {
      const delayed = askedTick(body, "delayed");
      const { cancelled } = await drains.purge((signal) =>
        fleet.audit.perform(
          { ...intent, filter: { queue, delayed } },
          () => fleet.queues.purge(queue, { by: user.name, delayed, signal }),
          ({ cancelled, dead }) => ({ count: cancelled + dead }),
        ),
      );
      return { count: cancelled, failed: [] };
    }
    default:
      throw unknownAction(action);
  }
}

/**
 * As an operation, which keeps a job that waits and can be undone. It is carried out before the
 * answer, however many operations others are at.
 */
export async function cancelJob(queue: string, id: string, asking: Asking): Promise<ChangeView> {
  const { fleet, user, body } = asking;
  const note = { reason: `cancelled by ${user.name}`, ...askedReason(body), by: user.name };
  const { state } = await fleet.jobs.get(id, { queue });
  if (!LIVE_STATES.includes(state))
    return { count: 0, failed: [{ id, message: `It has ended already: ${state}.` }] };
  const target = { kind: "jobs-cancel", filter: { queue, id }, ...note } as const;
  const { id: operation } = await fleet.operations.start(target);
  return carriedOut(asking, operation, {
    ...{ id, message: "It ended, or moved on, before it could be cancelled." },
  });
}

/**
 * Not by whoever comes to it: who is told that it is done relies on that.
 *
 * @param otherwise what is said where nothing was done, and nothing failed
 */
async function carriedOut(
  { fleet, show }: Asking,
  operation: string,
  otherwise: ChangeView["failed"][number],
): Promise<ChangeView> {
  const { done, failures } = await fleet.operations.run(operation, { timeout: CARRIED_OUT_WITHIN });
  if (done > 0) return { count: done, failed: [], operation };
  const { id } = otherwise;
  const message = failures[0]?.message ?? otherwise.message;
  return { count: 0, failed: [{ id, message: String(show(message)) }], operation };
}

/** Then it is not known whether it is, and the answer says so: `request-timeout`. */
const CARRIED_OUT_WITHIN = "10s";

/** Gives one that waits for its time another. */
export async function rescheduleJob(
  queue: string,
  id: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  const when = askedWhen(body);
  const to = when.at?.toISOString() ?? `in ${when.delay}`;
  await fleet.audit.perform(
    { action: "jobs reschedule", filter: { queue, id, to }, by: user.name },
    () => fleet.handle(id, queue).reschedule(when),
  );
  return ONE;
}

/** The payload is not in the audit: it may be anything. */
export async function editJob(
  queue: string,
  id: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  const { payload, merge } = askedEdit(body);
  await fleet.audit.perform({ action: "dead edit", filter: { queue, id }, by: user.name }, () =>
    fleet.dead.edit(id, payload, { queue, merge }),
  );
  return ONE;
}

/** What was sent is not in the audit: it may be anything. */
export async function signalJob(
  queue: string,
  id: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  const { name, value } = askedSignal(body);
  await fleet.audit.perform(
    { action: "jobs signal", filter: { queue, id, signal: name }, by: user.name },
    () => fleet.signal(queue, id, name, value),
  );
  return ONE;
}

/** An order to a node is in the audit by itself. */
export async function orderNode(
  name: string,
  action: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  if (action !== "quiet" && action !== "resume" && action !== "stop") throw unknownAction(action);
  await fleet.nodes[action](name, { ...askedReason(body), by: user.name });
  return ONE;
}

export function unknownAction(action: string): MillraceError {
  return new MillraceError("invalid-option", `There is no action called ${action.slice(0, 50)}.`);
}
