import { MillraceError, type Stoppable, type Timer } from "@millrace/core";
import { isOpen, readOperation } from "./operation.ts";
import { listOperations, operationsBucket } from "./operation-store.ts";
import { type OperationHost, runOperation } from "./run-operation.ts";

/** How often it is looked whether somebody has left one; only while one is open. */
const LOOK_MS = 5_000;
const MOST_AT_ONCE = 4;
/** What is under way ends with its step; a server that is away must not hold up the end. */
const STOP_MS = 5_000;

export interface ServeOperationsOptions {
  /** Told of what should not happen. Default: nobody. */
  readonly onDefect?: (error: unknown) => void;
  /** Ends it, as `stop` does. */
  readonly signal?: AbortSignal;
}

/** Carries out whatever operation nobody carries out, until it is stopped. */
export async function serveOperations(
  host: OperationHost,
  { onDefect }: ServeOperationsOptions = {},
): Promise<Stoppable> {
  const { broker, clock } = host;
  const store = await operationsBucket(broker);
  const open = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const stop = new AbortController();
  let timer: Timer | undefined;

  /** Operations that can't be continued now: the others must have their turn beside them. */
  const waiting = new Set<string>();

  const run = async (id: string): Promise<void> => {
    try {
      if ((await runOperation(host, id, stop.signal)) === "ended") {
        open.delete(id);
        // One that waited for it may go on.
        waiting.clear();
      } else waiting.add(id);
    } catch (error) {
      if (MillraceError.is(error, "operation-not-found")) open.delete(id);
      else if (MillraceError.is(error)) waiting.add(id);
      else {
        open.delete(id);
        onDefect?.(error);
      }
    } finally {
      running.delete(id);
      look();
    }
  };
  const look = (): void => {
    if (stop.signal.aborted) return;
    for (const id of [...open].toSorted())
      if (running.size < MOST_AT_ONCE && !running.has(id) && !waiting.has(id))
        running.set(id, run(id));
    if (open.size === 0) return;
    timer?.cancel();
    timer = clock.setTimer(LOOK_MS, () => {
      waiting.clear();
      look();
    });
    timer.unref?.();
  };

  const watch = await store.watch(({ key, document }) => {
    const operation = readOperation(document?.value);
    if (operation !== undefined && isOpen(operation)) {
      if (open.has(key)) return;
      open.add(key);
      look();
    } else open.delete(key);
  });
  try {
    for (const operation of await listOperations(store))
      if (isOpen(operation)) open.add(operation.id);
  } catch (error) {
    await watch.stop();
    throw error;
  }
  look();
  return {
    stop: async () => {
      stop.abort();
      timer?.cancel();
      await watch.stop();
      let patience: Timer | undefined;
      const enough = new Promise<void>((resolve) => {
        patience = clock.setTimer(STOP_MS, resolve);
      });
      await Promise.race([Promise.all(running.values()), enough]);
      patience?.cancel();
    },
  };
}
