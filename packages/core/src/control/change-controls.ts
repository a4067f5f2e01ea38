import type { Document, DocumentStore } from "../broker/stores/document-store.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import {
  changedControls,
  isConcurrency,
  isKeyConcurrency,
  isMaxParked,
  isRateLimit,
  isRecord,
  isSendsTo,
  LONGEST_RATE_PERIOD_MS,
  MOST_CONCURRENCY,
  MOST_KEY_CONCURRENCY,
  MOST_PARKED,
  MOST_RATE,
  type QueueControls,
  type QueueControlsChange,
} from "./queue-controls.ts";
import { readControls } from "./read-controls.ts";

/** Others have to change the same document this often in a row for a change to fail. */
const ROUNDS = 20;
const OWN_FIELDS = new Set([
  "paused",
  "intake",
  "concurrency",
  "rate",
  "perKey",
  "sendsTo",
  "maxParked",
]);

/**
 * Changes a queue's controls by compare-and-set, so that two operators never undo each other. What
 * a newer version wrote into the document stays in it.
 *
 * @param change what is to be changed, or a function that decides by what is set now; undefined for
 *   no change
 * @returns the controls now in force
 * @throws MillraceError `invalid-option`, `revision-conflict` where others never stop changing it
 */
export async function changeControls(
  store: DocumentStore,
  queue: string,
  change: QueueControlsChange | ((controls: QueueControls) => QueueControlsChange | undefined),
): Promise<QueueControls> {
  let hidden = false;
  for (let round = 1; ; round += 1) {
    const document = await store.get(queue);
    const { controls } = readControls(document?.value);
    const wanted = typeof change === "function" ? change(controls) : change;
    if (wanted === undefined) return controls;
    requireUsable(wanted);
    const next = changedControls(controls, wanted);
    try {
      await write(store, queue, document, next, hidden);
      return next;
    } catch (error) {
      if (!MillraceError.is(error, "revision-conflict") || round === ROUNDS) throw error;
      // Not to be seen and yet there: something that is no document. Nobody else can mend that.
      hidden = document === undefined && (await store.get(queue)) === undefined;
    }
  }
}

async function write(
  store: DocumentStore,
  queue: string,
  document: Document | undefined,
  controls: QueueControls,
  hidden: boolean,
): Promise<void> {
  const { closed, ...rest } = controls;
  const value = {
    ...foreignFields(document?.value),
    ...rest,
    ...(closed === undefined ? {} : { intake: closed }),
  };
  const expected = document?.revision ?? (hidden ? undefined : 0);
  if (Object.keys(value).length > 0) await store.put(queue, value, expected);
  else if (document !== undefined) await store.remove(queue, document.revision);
}

function foreignFields(value: unknown): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([name]) => !OWN_FIELDS.has(name)));
}

function requireUsable(change: QueueControlsChange): void {
  const { concurrency, rate, perKey, sendsTo, maxParked } = change;
  if (maxParked !== undefined && maxParked !== null && !isMaxParked(maxParked))
    throw new MillraceError(
      "invalid-option",
      `maxParked must be a whole number from 0 to ${MOST_PARKED}, or null for the default.`,
    );
  if (sendsTo !== undefined && sendsTo !== null && !isSendsTo(sendsTo))
    throw new MillraceError(
      "invalid-option",
      "sendsTo must be a list of up to 100 names of queues, or null for none.",
    );
  requireLimits({ concurrency, rate }, "");
  if (perKey !== undefined) requireLimits(perKey, "perKey.");
}

function requireLimits(
  { concurrency, rate }: { readonly concurrency?: unknown; readonly rate?: unknown },
  prefix: string,
): void {
  const [isCap, most] =
    prefix === "" ? [isConcurrency, MOST_CONCURRENCY] : [isKeyConcurrency, MOST_KEY_CONCURRENCY];
  if (concurrency !== undefined && concurrency !== null && !isCap(concurrency))
    throw new MillraceError(
      "invalid-option",
      `${prefix}concurrency must be a whole number from 1 to ${most}. To let nothing run, pause the queue.`,
    );
  if (rate !== undefined && rate !== null && !isRateLimit(rate))
    throw new MillraceError(
      "invalid-option",
      `${prefix}rate must have a limit from 1 to ${MOST_RATE} and a period of 1 ms to ${LONGEST_RATE_PERIOD_MS / 3_600_000} h, in whole milliseconds.`,
    );
}
