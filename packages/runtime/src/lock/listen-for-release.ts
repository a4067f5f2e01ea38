import {
  type LockStore,
  type LockWaiter,
  type Logger,
  recordError,
  type Stoppable,
} from "@millrace/core";
import type { LockDuties } from "./lock-machine.ts";

/**
 * Says when a lock is released, once it listens; and where it can't listen.
 *
 * @returns ends it
 */
export function listenForRelease(
  {
    locks,
    waiter,
    log,
  }: {
    readonly locks: LockStore;
    readonly waiter: LockWaiter;
    readonly log: Logger;
  },
  say: Parameters<LockDuties["listen"]>[0],
): () => void {
  let state: "opening" | "open" | "ended" = "opening";
  let opened: Stoppable | undefined;
  const stop = (): void =>
    void opened?.stop().catch((error: unknown) => {
      log.debug({ error: recordError(error) }, "listening for a lock's release did not end well");
    });
  locks
    .onRelease(
      waiter.name,
      () => {
        if (state === "open") say({ type: "RELEASED" });
      },
      waiter,
    )
    .then(
      (listening) => {
        opened = listening;
        if (state === "ended") return stop();
        state = "open";
        say({ type: "LISTENING" });
      },
      (error: unknown) => {
        if (state !== "ended") say({ type: "DEAF", error });
      },
    );
  return () => {
    state = "ended";
    stop();
  };
}
