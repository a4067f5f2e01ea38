import { createHook } from "node:async_hooks";

/** These only wait for others to begin something. */
const LISTENING = new Set([
  ...["TCPServerWrap", "PipeServerWrap", "FSEventWrap", "StatWatcher", "SignalWrap", "TTYWrap"],
]);
/** A connection that a pool keeps open counts like one that waits for an answer. */
const CONNECTIONS = new Set(["TCPSocketWrap", "TLSWrap", "UDPWrap"]);
/** A test runner has some of its own, and they come and go. Those that handlers set are known. */
const TIMER = "Timeout";

/**
 * What this process does outside of JavaScript while handlers run, as Node tells it: files,
 * sockets, processes, timers in real time. Other runtimes may tell nothing.
 */
export class RealWork {
  #before = counts();
  readonly #timers = new Map<number, NodeJS.Timeout>();
  readonly #hook = createHook({
    init: (id, type, _trigger, resource) => {
      if (type === TIMER) this.#timers.set(id, resource as NodeJS.Timeout);
    },
    // It has fired or was cleared.
    destroy: (id) => void this.#timers.delete(id),
  });

  /** A handler begins. What is there before the first is somebody else's. */
  begin(): void {
    this.#before = counts();
    this.#hook.enable();
  }

  /** No handler is left. */
  end(): void {
    this.#hook.disable();
    this.#timers.clear();
  }

  /** What a handler may be waiting for: `1 TCPSocketWrap`. Empty: nothing that can be seen. */
  seen(): readonly string[] {
    const now = counts();
    const timers = [...this.#timers.values()].filter((timer) => timer.hasRef()).length;
    if (timers > 0) now.set(TIMER, timers);
    return [...now].flatMap(([kind, count]) => {
      const more = count - (CONNECTIONS.has(kind) ? 0 : (this.#before.get(kind) ?? 0));
      return more > 0 ? [`${more} ${kind}`] : [];
    });
  }
}

function counts(): Map<string, number> {
  const found = new Map<string, number>();
  const kinds = (process as Partial<NodeJS.Process>).getActiveResourcesInfo?.() ?? [];
  for (const kind of kinds)
    if (kind !== TIMER && !LISTENING.has(kind)) found.set(kind, (found.get(kind) ?? 0) + 1);
  return found;
}
