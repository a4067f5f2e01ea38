import type { Clock } from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { watchConnection } from "../connection/connection-events.ts";
import type { ServerAccess } from "../store/server-access.ts";

/** What was learnt about a bucket's copies is believed for so long. */
const BELIEVED_MS = 10_000;

type Knowledge =
  | { readonly kind: "none" }
  /** `until`: what counts until the answer is there. */
  | { readonly kind: "asked"; readonly until: boolean }
  | { readonly kind: "learnt"; readonly isSole: boolean; readonly at: number };

const NONE: Knowledge = { kind: "none" };

/**
 * Whether there is only one copy of a bucket, so that a direct get finds what was written last. The
 * bucket's setting follows: `allow_direct` is on with one copy and off with more, so that a node
 * which learns of a raise late is not answered by a replica for long.
 */
export class SingleReplica {
  readonly #server: ServerAccess;
  readonly #stream: string;
  readonly #clock: Clock;
  #knowledge: Knowledge = NONE;

  constructor(server: ServerAccess, stream: string) {
    this.#server = server;
    this.#stream = stream;
    this.#clock = machineOf(server.nc).clock;
    this.#watch(server.nc);
  }

  /** As far as it is known, without waiting: false until the server has said so. */
  isSole(): boolean {
    const knowledge = this.#knowledge;
    switch (knowledge.kind) {
      case "none":
        void this.#ask(false);
        return false;
      case "asked":
        return knowledge.until;
      case "learnt":
        if (this.#clock.monotonic() - knowledge.at > BELIEVED_MS) void this.#ask(knowledge.isSole);
        return knowledge.isSole;
    }
  }

  /** It was answered otherwise than a bucket with one copy answers. */
  disbelieve(): void {
    if (this.#knowledge.kind === "learnt")
      this.#knowledge = { kind: "learnt", isSole: false, at: this.#clock.monotonic() };
  }

  async #ask(until: boolean): Promise<void> {
    const asked: Knowledge = { kind: "asked", until };
    this.#knowledge = asked;
    // Whoever may not look or set it reads from the leader, which costs time and nothing else.
    const isSole = await this.#settle().catch(() => false);
    // After a reconnect the answer may be of another server's time.
    if (this.#knowledge === asked)
      this.#knowledge = { kind: "learnt", isSole, at: this.#clock.monotonic() };
  }

  async #settle(): Promise<boolean> {
    const { streams } = this.#server.jsm;
    const { config } = await streams.info(this.#stream);
    const isSole = config.num_replicas === 1;
    if (config.allow_direct !== isSole)
      await streams.update(this.#stream, { ...config, allow_direct: isSole });
    return isSole;
  }

  #watch(nc: NatsConnection): void {
    watchConnection(nc, ({ type }) => {
      if (type === "disconnect" || type === "reconnect") this.#knowledge = NONE;
    });
  }
}
