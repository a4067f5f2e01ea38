import type { AnyJob, Envelope } from "@millrace/core";
import { type EntrantKey, hasOwnKey, keyOfPayload } from "./entrant-key.ts";
import { type Entrant, type Limit, mayBeBlockedAlready, type Entry, PASSED } from "../limit.ts";
import type { LimitsOf } from "./key-limits.ts";
import { KeyPermits } from "./key-permits.ts";
import type { PermitHost } from "./permit-host.ts";
import { readPermit } from "./permit.ts";

/**
 * Keys that this node knows something of, before it forgets those of which there is nothing to
 * know.
 */
const MANY_KEYS = 10_000;

/**
 * At most so many jobs with the same key run at once, over all nodes. Each runs by a permit; a job
 * that finds none is blocked.
 */
export class KeyCap implements Limit {
  readonly #host: PermitHost;
  readonly #limitsOf: LimitsOf;
  readonly #keys = new Map<string, KeyPermits>();
  #forgetAt = MANY_KEYS;

  constructor(host: PermitHost, limitsOf: LimitsOf) {
    this.#host = host;
    this.#limitsOf = limitsOf;
  }

  concerns(envelope: Envelope, job: AnyJob): boolean {
    return (
      job.concurrency !== undefined ||
      (hasOwnKey(envelope) && this.#limitsOf(envelope.queue).keyConcurrency !== undefined)
    );
  }

  async enter(entrant: Entrant): Promise<Entry> {
    const { envelope, job, message } = entrant;
    const found = concurrencyKey(envelope, job);
    if ("refusal" in found) return found;
    const { queue } = envelope;
    const limit = this.#limitsOf(queue).keyConcurrency ?? job.concurrency?.limit;
    // The operator's limit was taken back while this was on its way here.
    if (limit === undefined) return PASSED;
    const permits = this.#permitsOf(queue, found.key);
    if (mayBeBlockedAlready(entrant))
      return {
        refusal: { kind: "blocked", gate: permits.gate },
        afterwards: () => permits.blockedUnasked(limit),
      };
    const { "millrace-gate": gate, "millrace-permit": offered } = message.headers;
    const letIn = message.origin === "runtime" && gate === permits.gate;
    const permit = await permits.enter(
      limit,
      letIn ? { offered: offered === undefined ? undefined : readPermit(offered) } : undefined,
    );
    if (permit === undefined)
      return {
        refusal: { kind: "blocked", gate: permits.gate },
        afterwards: () => permits.blocked(),
      };
    return {
      entered: {
        gate: permits.gate,
        onLost: (listener) => {
          if (permit.state === "gone") listener();
          else permit.onLost = listener;
        },
        leave: () => permits.leave(permit),
      },
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#keys.values()].map((permits) => permits.close()));
    this.#keys.clear();
  }

  #permitsOf(queue: string, key: string): KeyPermits {
    const name = `${queue} ${key}`;
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    if (this.#keys.size >= this.#forgetAt) this.#forgetDormant();
    const permits = new KeyPermits(this.#host, queue, key);
    this.#keys.set(name, permits);
    return permits;
  }

  #forgetDormant(): void {
    for (const [name, permits] of this.#keys) if (permits.isDormant) this.#keys.delete(name);
    this.#forgetAt = Math.max(MANY_KEYS, this.#keys.size * 2);
  }
}

/** The producer's own key goes first: it may know better than the payload shows. */
function concurrencyKey(envelope: Envelope, job: AnyJob): EntrantKey {
  if (hasOwnKey(envelope)) return { key: envelope.concurrencyKey };
  // Without a function only a producer's key can have brought the job here.
  if (job.concurrency === undefined) return { key: "" };
  return keyOfPayload(envelope, job.concurrency.key, "concurrency.key");
}
