import { setImmediate } from "node:timers";
import type { Clock } from "@millrace/core";
import type { Machine } from "../../../packages/broker-nats/src/machine/machine.ts";
import { SimProcess } from "../engine/process.ts";
import { Timeline } from "../engine/timeline.ts";
import { Link } from "./link.ts";

/**
 * A world without faults for whoever only wants a server: its time moves on whenever nothing else
 * is left to do.
 */
export class RunningWorld {
  readonly #timeline = new Timeline();
  readonly clock: Clock = new SimProcess("server", this.#timeline).clock;
  readonly #run: Promise<void>;
  #running = true;

  constructor() {
    this.#run = this.#goOn();
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(ms, resolve));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#run;
  }

  async #goOn(): Promise<void> {
    while (this.#running) {
      const { nextMs, nowMs } = this.#timeline;
      if (nextMs === undefined) await new Promise((resolve) => void setImmediate(resolve));
      // A little more, for sums of fractions.
      else await this.#timeline.run(nextMs - nowMs + 0.001);
    }
  }
}

/** A machine whose names are counted. */
export function countingMachine(clock: Clock, name: string): Machine {
  let names = 0;
  const newName = (): string => `${name}${(names += 1)}`;
  return { clock, random: () => 0.5, newId: newName, newToken: newName };
}

const LATENCY_MS = 0.2;

export function shortLink(clock: Clock): Link {
  return new Link({ clock, passage: () => ({ delayMs: LATENCY_MS }) });
}
