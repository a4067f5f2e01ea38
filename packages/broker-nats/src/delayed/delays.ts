import type { ServerFeatures } from "../connection/server-features.ts";
import { ensureStream, type StreamMaker } from "../topology/ensure-stream.ts";
import { scheduleDoor } from "../topology/stream-doors.ts";
import { delayedStream } from "../topology/streams.ts";
import type { Names } from "../topology/subjects.ts";

/**
 * Who waits for a delayed job: the server, once both its version and the stream's own configuration
 * say that it can; else the mover.
 */
export class Delays {
  readonly #maker: StreamMaker;
  readonly #names: Names;
  readonly #replicas: number;
  #schedules = false;

  constructor(maker: StreamMaker, names: Names, replicas: number) {
    this.#maker = maker;
    this.#names = names;
    this.#replicas = replicas;
  }

  get schedules(): boolean {
    return this.#schedules;
  }

  /**
   * Another server may be older: until the stream has been looked at again, the mover waits, which
   * every server can do.
   */
  forget(): void {
    this.#schedules = false;
  }

  async ensure(features: ServerFeatures): Promise<void> {
    const door = scheduleDoor(this.#maker.nc, features);
    const config = await ensureStream(
      this.#maker,
      delayedStream(this.#names, door, this.#replicas),
    );
    this.#schedules = features.schedules && config.allow_msg_schedules === true;
  }
}
