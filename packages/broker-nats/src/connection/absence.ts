import type { NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { serverFeatures } from "./server-features.ts";

/**
 * Who leads hears of the next leader within this, and leads no more (`hbInterval` in the server's
 * raft.go is a second).
 */
const AGAIN_MS = 1_500;
/**
 * Nobody else has begun to lead so soon after a leader has answered (`minElectionTimeout` there is
 * 4 s).
 */
const STANDS_MS = 3_000;

/**
 * What a cluster says of a stream that it doesn't know. The leader of the cluster says so, of what
 * it knows itself: one that stood still says so until it hears of its successor, of each stream
 * that was made meanwhile; one of 2.10 that was just elected, of what the one before it had made
 * last (`switchToLeader` in its raft.go). So it counts where it has been said for longer than that.
 */
export class Absence {
  readonly #nc: NatsConnection;
  /** Of each stream since when it was said again and again, and when last; the latest last. */
  readonly #said = new Map<string, { readonly since: number; readonly last: number }>();
  readonly #making = new Map<string, number>();

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  /** Whether "no such stream", which was said just now, counts. Otherwise it is asked for again. */
  counts(stream: string): boolean {
    const now = machineOf(this.#nc).clock.monotonic();
    for (const [name, { last }] of this.#said) {
      if (now - last <= STANDS_MS) break;
      this.#said.delete(name);
    }
    const { since } = this.#said.get(stream) ?? { since: now };
    this.#said.delete(stream);
    this.#said.set(stream, { since, last: now });
    return now - since >= AGAIN_MS || this.#making.has(stream);
  }

  /**
   * Makes a stream, or finds it: that it isn't there counts at once, because making it where it is
   * there changes nothing, and takes a majority. A leader of 2.10 that was just elected would place
   * it anew, without what is in it.
   */
  async making<T>(stream: string, make: () => Promise<T>): Promise<T> {
    const { appliedBeforeLeading } = serverFeatures(this.#nc.info?.version ?? "2.10");
    if (!appliedBeforeLeading) return make();
    this.#making.set(stream, (this.#making.get(stream) ?? 0) + 1);
    try {
      return await make();
    } finally {
      const left = (this.#making.get(stream) ?? 1) - 1;
      if (left > 0) this.#making.set(stream, left);
      else this.#making.delete(stream);
    }
  }
}

const absences = new WeakMap<NatsConnection, Absence>();

/** Of one connection, whoever asks by it. */
export function absenceOn(nc: NatsConnection): Absence {
  const known = absences.get(nc);
  if (known !== undefined) return known;
  const absence = new Absence(nc);
  absences.set(nc, absence);
  return absence;
}
