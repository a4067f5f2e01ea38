import {
  type Broker,
  findToReplace,
  MillraceError,
  readStoredSchedule,
  removeLeftState,
  type Schedule,
  SCHEDULE_STATE,
  SCHEDULES,
  SCHEDULES_SEEN,
  type StoredSchedule,
  upsert,
} from "@millrace/core";

/**
 * "Last seen" is for people who clean up; a fleet that restarts need not write it a thousand times.
 */
const SEEN_EVERY_MS = 3_600_000;

/**
 * Stores the schedules of a node's code. From any number of nodes at once: what is there already is
 * not written again, and what changed is compared and set.
 */
export async function putSchedules(
  broker: Pick<Broker, "documents">,
  schedules: readonly Schedule[],
  now: number,
): Promise<void> {
  if (schedules.length === 0) return;
  const [store, states] = [
    await broker.documents(SCHEDULES),
    await broker.documents(SCHEDULE_STATE),
  ];
  const stored = new Map((await store.list()).map((document) => [document.key, document]));
  await Promise.all(
    schedules.map(async ({ name, definition }) => {
      let listed = stored.get(name);
      for (;;) {
        // What can't be read is in no list.
        const known = listed ?? (await findToReplace(store, name));
        listed = undefined;
        const next = upsert(definition, "code", known && readable(name, known.value), now);
        if (next === undefined) return;
        if (known === undefined) await removeLeftState(store, states, name);
        try {
          await store.put(name, next, known?.revision ?? 0);
          return;
        } catch (error) {
          // Another node was first, most likely with the same.
          if (!MillraceError.is(error, "revision-conflict")) throw error;
        }
      }
    }),
  );
}

/** Notes that this node has the schedules in its code. */
export async function noteSeen(
  broker: Broker,
  schedules: readonly Schedule[],
  node: string,
  now: number,
): Promise<void> {
  if (schedules.length === 0) return;
  const store = await broker.documents(SCHEDULES_SEEN);
  const seen = new Map((await store.list()).map(({ key, value }) => [key, seenAt(value)]));
  await Promise.all(
    schedules
      .filter(({ name }) => Math.abs(now - (seen.get(name) ?? 0)) >= SEEN_EVERY_MS)
      .map(({ name }) => store.put(name, { node, at: now })),
  );
}

function seenAt(value: unknown): number {
  return (value as { readonly at?: number } | null)?.at ?? 0;
}

/** What can't be read is replaced. */
function readable(name: string, value: unknown): StoredSchedule | undefined {
  try {
    return readStoredSchedule(name, value);
  } catch (error) {
    if (MillraceError.is(error)) return undefined;
    throw error;
  }
}
