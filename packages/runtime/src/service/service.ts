import type { Clock, Stoppable } from "@millrace/core";
import { createActor, waitFor } from "xstate";
import { serviceMachine } from "./service-machine.ts";
import { xstateClock } from "./xstate-clock.ts";

export type ServiceState = "idle" | "opening" | "waiting" | "open" | "closing" | "stopped";

export interface ServiceOptions {
  readonly open: () => Promise<Stoppable>;
  readonly clock: Clock;
  /** Pause before opening is tried again, milliseconds. */
  readonly retryMs?: number;
  readonly onState?: (state: ServiceState) => void;
  readonly onError: (error: unknown) => void;
}

export interface Service extends Stoppable {
  readonly state: ServiceState;
  /** Idempotent. Resolves when the service is open for the first time, or was stopped before. */
  start(): Promise<void>;
}

/** A `serviceMachine` behind the two verbs that owners need. */
export function createService(options: ServiceOptions): Service {
  const actor = createActor(serviceMachine, {
    clock: xstateClock(options.clock),
    input: { open: options.open, retryMs: options.retryMs ?? 1_000, onError: options.onError },
  });
  const stateNow = (): ServiceState => topLevel(actor.getSnapshot().value);
  let told: ServiceState = "idle";
  actor.subscribe(() => {
    const state = stateNow();
    if (state === told) return;
    told = state;
    options.onState?.(state);
  });
  actor.start();
  return {
    get state() {
      return stateNow();
    },
    start: async () => {
      if (actor.getSnapshot().status === "active") actor.send({ type: "START" });
      await waitFor(actor, (snapshot) => snapshot.matches("open") || snapshot.status !== "active");
    },
    stop: async () => {
      if (actor.getSnapshot().status === "active") actor.send({ type: "STOP" });
      await waitFor(actor, (snapshot) => snapshot.status !== "active");
    },
  };
}

function topLevel(value: unknown): ServiceState {
  return (typeof value === "string" ? value : Object.keys(value as object)[0]) as ServiceState;
}
