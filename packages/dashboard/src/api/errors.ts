import { type Cause, findCauses } from "@millrace/core";
import { shownError, type ShowValue } from "@millrace/telemetry/masking";
import type { FleetDeadFilter } from "../fleet/fleet-dead.ts";
import type { DashboardSearch } from "../fleet/search.ts";
import { type CausesView, type CauseView, MOST_CAUSES } from "./views/error-views.ts";
import type { Turns } from "../fleet/take-turns.ts";
import type { Reading } from "./reading.ts";

/**
 * All dead letters are read where few fit, for anybody who may look: one reading at a time, and
 * none for longer.
 */
export const LETTERS_TIME = "10s";

/** Why jobs fail: dead letters, and failed attempts where there is an index that counts them. */
export async function causes(
  { fleet, show, signal }: Reading & { readonly signal: AbortSignal },
  inTurn: Turns,
  search: DashboardSearch | undefined,
  asked: { readonly queue: string; readonly filter: string; readonly dead: string },
): Promise<CausesView> {
  const { queue, filter, dead } = asked;
  const groups = (of: FleetDeadFilter) =>
    inTurn(() => fleet.dead.groups(of, { timeout: LETTERS_TIME, signal }), signal);
  const found = await findCauses(
    { dead: { groups }, ...(search === undefined ? {} : { index: search }) },
    {
      ...{ limit: MOST_CAUSES, deadOnly: dead === "only" },
      ...(queue === "" ? {} : { queue }),
      ...(filter.trim() === "" ? {} : { where: filter }),
    },
  );
  const { more, lettersOnly } = found;
  return { causes: found.causes.map((cause) => causeView(cause, show)), more, lettersOnly };
}

function causeView(cause: Cause, show: ShowValue): CauseView {
  const { queue, name, error, fingerprint, reasons, letters, failed, firstAt, lastAt } = cause;
  const { pattern, frame, message, perHour, nodes, nodeCount, lastId } = cause;
  return {
    ...{ queue, name: name ?? null, error: error ?? null, fingerprint: fingerprint ?? null },
    ...{ reasons, letters, firstAt, lastAt, lastId, perHour, nodes, nodeCount },
    ...(failed === undefined ? {} : { failed }),
    ...(pattern === undefined ? {} : { pattern: String(show(pattern)) }),
    ...(frame === undefined ? {} : { frame: String(show(frame)) }),
    ...(message === undefined
      ? {}
      : { message: shownError({ type: error ?? "", message }, show).message }),
  };
}
