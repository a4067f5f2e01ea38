import {
  activeStates,
  type Document,
  type DocumentStore,
  MACHINE_STATUSES,
  type MachineDocument,
  type MachineSnapshot,
  machineSnapshot,
  type MachineStatus,
  MillraceError,
  optionNames,
  readMachine,
  refuseUnknown,
  requireMachineName,
  shownValue,
} from "@millrace/core";
import { type CallLimits, LIMITS } from "../call-limits.ts";

/** Which machines are listed. */
export interface MachinesQuery extends CallLimits {
  /** The definition's name. Default: all. */
  readonly machine?: string;
  readonly status?: MachineStatus;
  /** The path of a state: those that are in it, or in a state in it: `"waiting"`. */
  readonly state?: string;
  /** Default 100. */
  readonly limit?: number;
  /** `next` of the page before. Default: from the beginning. */
  readonly after?: number | undefined;
}

/** A page of a list of machines. */
export interface MachinesPage {
  readonly machines: readonly MachineSnapshot[];
  /** Where the next page goes on. Left out at the end. */
  readonly next?: number;
}

const NAMES = optionNames<MachinesQuery>({
  ...{ machine: true, status: true, state: true, limit: true, after: true },
  ...LIMITS,
});
const MOST = 10_000;
/** Machines that one page looks at, where few of them are asked for. */
const MOST_LOOKED_AT = 10_000;
const PAGE = 1_000;

export async function listMachines(
  documents: DocumentStore,
  query: MachinesQuery,
): Promise<MachinesPage> {
  requireQuery(query);
  const { machine, limit = 100 } = query;
  const under = machine === undefined ? {} : { under: requireMachineName(machine) };
  const isAskedFor = filterOf(query);
  const machines: MachineSnapshot[] = [];
  let after = query.after;
  for (let lookedAt = 0; lookedAt < MOST_LOOKED_AT;) {
    const size = isFiltered(query) ? PAGE : Math.min(PAGE, limit - machines.length + 1);
    const page = await documents.page({
      ...{ ...under, order: "newest first", limit: size },
      ...(after === undefined ? {} : { after }),
    });
    for (const { value, revision } of page.documents) {
      const one = readMachine(value);
      if (one !== undefined && isAskedFor(one)) {
        if (machines.length === limit)
          return { machines, ...(after === undefined ? {} : { next: after }) };
        machines.push(machineSnapshot(one));
      }
      after = revision;
    }
    if (page.next === undefined) return { machines };
    after = page.next;
    lookedAt += size;
  }
  return { machines, ...(after === undefined ? {} : { next: after }) };
}

/**
 * All machines of a name, the longest unchanged first. A machine that changes meanwhile comes once
 * more.
 */
export async function* eachMachine(
  documents: DocumentStore,
  machine?: string,
): AsyncGenerator<MachineDocument> {
  const under = machine === undefined ? {} : { under: machine };
  let after = 0;
  for (;;) {
    const page: { readonly documents: readonly Document[]; readonly next?: number } =
      await documents.page({ ...under, order: "oldest first", limit: PAGE, after });
    for (const { value } of page.documents) {
      const one = readMachine(value);
      if (one !== undefined) yield one;
    }
    if (page.next === undefined) return;
    after = page.next;
  }
}

/** @throws MillraceError `invalid-option` */
function requireQuery(query: MachinesQuery): void {
  refuseUnknown(query, NAMES, "machines.list()");
  const { status, state, limit = 100, after } = query;
  if (status !== undefined && !MACHINE_STATUSES.includes(status))
    throw wrong(`status must be one of ${MACHINE_STATUSES.join(", ")}; got ${shownValue(status)}`);
  if (state !== undefined && (typeof state !== "string" || state === ""))
    throw wrong(`state must be the path of a state, such as "waiting"; got ${shownValue(state)}`);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST)
    throw wrong(`limit must be a whole number from 1 to ${MOST}; got ${shownValue(limit)}`);
  if (after !== undefined && (!Number.isSafeInteger(after) || after < 0))
    throw wrong(`after must be what a page has as next; got ${shownValue(after)}`);
}

function isFiltered({ status, state }: MachinesQuery): boolean {
  return status !== undefined || state !== undefined;
}

function filterOf({ status, state }: MachinesQuery): (one: MachineDocument) => boolean {
  return (one) =>
    (status === undefined || one.status === status) &&
    (state === undefined ||
      activeStates(one.value).some((path) => path === state || path.startsWith(`${state}.`)));
}

function wrong(why: string): MillraceError {
  return new MillraceError("invalid-option", `${why}.`);
}
