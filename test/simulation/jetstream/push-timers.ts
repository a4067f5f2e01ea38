import type { Timer } from "@millrace/core";
import type { ConsumerSettings } from "./api-types.ts";
import { statusPacket } from "./packet.ts";
import type { Surroundings } from "./surroundings.ts";

const NS_A_MS = 1e6;

/**
 * What a consumer does when nothing happens: it shows its reader that it is alive, and ends when it
 * has no reader.
 */
export class PushTimers {
  readonly #server: Surroundings;
  readonly #config: () => ConsumerSettings;
  readonly #places: () => { readonly consumer: number; readonly stream: number };
  readonly #onIdle: () => void;
  #beat: Timer | undefined;
  #idle: Timer | undefined;

  constructor(
    server: Surroundings,
    config: () => ConsumerSettings,
    places: () => { readonly consumer: number; readonly stream: number },
    onIdle: () => void,
  ) {
    this.#server = server;
    this.#config = config;
    this.#places = places;
    this.#onIdle = onIdle;
  }

  /** Somebody asked. */
  used(): void {
    const { inactive_threshold: thresholdNs = 0, deliver_subject: subject } = this.#config();
    this.#idle?.cancel();
    if (thresholdNs === 0) return;
    this.#idle = this.#server.clock.setTimer(thresholdNs / NS_A_MS, () => {
      if (subject !== undefined && this.#server.isHeard(subject)) this.used();
      else this.#onIdle();
    });
  }

  /** Something was sent: the next sign of life is due later. */
  delivered(): void {
    const { deliver_subject: subject, idle_heartbeat: everyNs = 0 } = this.#config();
    this.#beat?.cancel();
    if (subject === undefined || everyNs === 0) return;
    this.#beat = this.#server.clock.setTimer(everyNs / NS_A_MS, () => {
      const { consumer, stream } = this.#places();
      if (this.#server.isHeard(subject))
        this.#server.send(
          subject,
          statusPacket(subject, "100 Idle Heartbeat", [
            ["Nats-Last-Consumer", consumer],
            ["Nats-Last-Stream", stream],
          ]),
        );
      this.delivered();
    });
  }

  end(): void {
    this.#beat?.cancel();
    this.#idle?.cancel();
  }
}
