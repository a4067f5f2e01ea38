import { MillraceError, type Timer } from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { quietTimer } from "../machine/timers.ts";
import type { BrokerConfig } from "../broker-options.ts";
import type { ServerFeatures } from "../connection/server-features.ts";
import type { Delays } from "../delayed/delays.ts";
import { asMillraceError } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { batchDoor } from "./stream-doors.ts";
import { ensureStream } from "./ensure-stream.ts";
import { historyStream } from "./history-stream.ts";
import { blockedStream, deadStream } from "./streams.ts";

export interface SharedStreamsOptions {
  readonly server: ServerAccess;
  readonly config: Pick<BrokerConfig, "history" | "replicas">;
  readonly delays: Delays;
  /** What the server can do that is connected now. */
  readonly features: () => ServerFeatures;
  readonly ensureProgress: () => Promise<void>;
  /** Told whether the history takes fast batches. */
  readonly onHistory: (takesBatches: boolean) => void;
  readonly onProblem: (error: unknown, doing: string) => void;
  /** A look that had failed, which was told, has succeeded. */
  readonly onMended: () => void;
}

/** Before a look that failed is made again. */
const AGAIN_MS = 5_000;

const DOING = "look at the streams after a reconnect";

/** What workers and movers need beside queues. Made once a connection. */
export class SharedStreams {
  readonly #options: SharedStreamsOptions;
  #made: Promise<void> | undefined;
  #remaking: Promise<void> | undefined;
  /** Of a look that failed. */
  #again: Timer | undefined;
  /** The code of the failure that was told last: one that lasts is told once. */
  #told: string | undefined;

  constructor(options: SharedStreamsOptions) {
    this.#options = options;
  }

  /** A failure is not kept. */
  ensure(): Promise<void> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /**
   * One of them was removed under way. The first caller that finds this out makes them again for
   * all.
   */
  remake(): Promise<void> {
    if (this.#remaking !== undefined) return this.#remaking;
    this.#made = undefined;
    this.#remaking = this.ensure().finally(() => (this.#remaking = undefined));
    return this.#remaking;
  }

  /**
   * The server is another one, or was upgraded. A look that fails is made again: until one succeeds
   * nothing that only newer servers can do is used.
   */
  async lookAgain(): Promise<void> {
    this.#again?.cancel();
    if (this.#made === undefined && this.#again === undefined) return;
    this.#again = undefined;
    this.#made = undefined;
    try {
      await this.ensure();
      if (this.#told !== undefined) this.#options.onMended();
      this.#told = undefined;
    } catch (error) {
      const { code } = asMillraceError(error, DOING);
      if (code !== this.#told) this.#options.onProblem(error, DOING);
      this.#told = code;
      if (MillraceError.is(error, "connection-closed")) return;
      const { clock } = machineOf(this.#options.server.nc);
      this.#again = quietTimer(clock, AGAIN_MS, () => void this.lookAgain());
    }
  }

  async #make(): Promise<void> {
    const { server, config, delays, features, ensureProgress, onHistory } = this.#options;
    const { names } = server;
    const { history, replicas } = config;
    await delays.ensure(features());
    await ensureStream(server, deadStream(names, replicas));
    await ensureStream(server, blockedStream(names, replicas));
    const batches = batchDoor(server.nc, features());
    const made = await ensureStream(server, historyStream(names, history, replicas, batches));
    onHistory(features().fastBatches && made.allow_batched === true);
    await ensureProgress();
  }
}
