import { type BrokerStatus, type ErrorCode, MillraceError, type Stoppable } from "@millrace/core";
import type { SimProcess } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";
import type { SimServer } from "../server/sim-server.ts";
import type { FaultKind, Network } from "./network.ts";

export interface Call<T> {
  /** Method, job and step. */
  readonly point: string;
  /** At the server, when it arrives there; each copy anew. */
  readonly act: () => T;
  /** From the call to giving up. Default 5,000. */
  readonly timeoutMs?: number;
  /** What giving up is called. Default `request-timeout`. */
  readonly code?: ErrorCode;
  /** Asked before it is sent at any later time than at once. Left out: always. */
  readonly mayRepeat?: (tries: number) => boolean;
}

interface Pending {
  transmit(): void;
}

const ATTEMPT_MS = 2_000;
const REQUEST_MS = 5_000;

/**
 * One process' connection to the server, as a TCP connection is: what is sent arrives in order or
 * not at all, and what was under way when it broke is lost. A call is sent again after two seconds
 * without an answer, and after each reconnect.
 */
export class Line {
  readonly server: SimServer;
  readonly process: SimProcess;
  readonly #timeline: Timeline;
  readonly #network: Network;
  readonly #pending = new Set<Pending>();
  readonly #listeners = new Set<(status: BrokerStatus) => void>();
  readonly #attached = new Set<() => void>();
  #status: BrokerStatus = "connected";
  /** Counts connections: what belongs to an earlier one is lost. */
  #epoch = 0;
  #cutUntilMs = 0;
  #thereMs = 0;
  #backMs = 0;

  constructor(server: SimServer, process: SimProcess, network: Network) {
    this.server = server;
    this.process = process;
    this.#timeline = server.timeline;
    this.#network = network;
    server.onState((state) => {
      if (state === "down") this.#break();
      else if (state === "up") this.#mend();
    });
    process.onDeath(() => this.#break());
    if (server.state === "down") this.#status = "disconnected";
  }

  get status(): BrokerStatus {
    return this.#status;
  }

  get isConnected(): boolean {
    return this.#status === "connected";
  }

  get epoch(): number {
    return this.#epoch;
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * @throws MillraceError what the server says, or `code` where it says nothing in time;
   *   `connection-closed`
   */
  call<T>(call: Call<T>): Promise<T> {
    const { timeoutMs = REQUEST_MS, code = "request-timeout", point } = call;
    if (this.#status === "closed")
      return Promise.reject(new MillraceError("connection-closed", "The connection was closed."));
    return new Promise<T>((resolve, reject) => {
      const { clock } = this.process;
      let tries = 0;
      let refused = 0;
      /**
       * Set once the call has returned: what is sent from then on is sent by a timer or a
       * reconnect.
       */
      let isLate = false;
      const settle = (end: () => void): void => {
        if (!this.#pending.delete(pending)) return;
        again.cancel();
        limit.cancel();
        end();
      };
      const pending: Pending = {
        transmit: () => {
          if (!this.isConnected || (isLate && call.mayRepeat?.(tries) === false)) return;
          tries += 1;
          const copy = tries;
          this.#transmit(point, call.act, (answer) => {
            // As the real connection has it: a refusal counts of the newest copy only, and a full
            // queue says nothing of a copy that got no answer.
            if ("value" in answer) return settle(() => resolve(answer.value));
            if (copy < tries) return void (refused += 1);
            const { error } = answer;
            const isUnsure = tries - refused > 1 && MillraceError.is(error, "queue-full");
            settle(() =>
              reject(
                isUnsure ? new MillraceError("publish-timeout", point, { cause: error }) : error,
              ),
            );
          });
        },
      };
      const arm = (): { cancel(): void } =>
        clock.setTimer(ATTEMPT_MS, () => {
          again = arm();
          pending.transmit();
        });
      let again = arm();
      const limit = clock.setTimer(timeoutMs, () =>
        settle(() =>
          reject(
            new MillraceError(code, `No answer came in time for ${point}, sent ${tries} times.`),
          ),
        ),
      );
      this.#pending.add(pending);
      pending.transmit();
      isLate = true;
    });
  }

  /** One way: nobody learns whether it arrives. */
  send(point: string, act: () => void): void {
    if (this.isConnected) this.#transmit(point, act, undefined);
  }

  /** From the server to the process. @returns false where there is no line now */
  deliver(fire: () => void): boolean {
    if (!this.isConnected) return false;
    const epoch = this.#epoch;
    this.#backMs = Math.max(this.#backMs, this.#timeline.nowMs + 1);
    this.#timeline.plan(this.#backMs - this.#timeline.nowMs, () => {
      if (epoch === this.#epoch) this.process.receive(fire);
    });
    return true;
  }

  /** Ends with `stop()`, or with the connection or the process. */
  attach(end: () => void): Stoppable {
    const once = (): void => {
      if (this.#attached.delete(once)) end();
    };
    this.#attached.add(once);
    return { stop: async () => once() };
  }

  cut(forMs: number): void {
    this.#cutUntilMs = Math.max(this.#cutUntilMs, this.#timeline.nowMs + forMs);
    this.#break();
    this.#timeline.plan(forMs, () => this.#mend());
  }

  close(): void {
    if (this.#status === "closed") return;
    this.#break();
    this.#become("closed");
    this.#endAll();
  }

  #transmit<T>(
    point: string,
    act: () => T,
    answered: ((answer: { value: T } | { error: Error }) => void) | undefined,
  ): void {
    if (!this.process.isRunning) return;
    const { thereMs, backMs, fault } = this.#network.passage(point, this.process);
    if (fault === "kill-before" || fault === "cut-before" || fault === "crash-before")
      return this.#network.strike(fault, point, this.process);
    if (fault === "stop" || fault === "freeze" || fault === "elect")
      this.#network.strike(fault, point, this.process);
    const epoch = this.#epoch;
    this.#thereMs = Math.max(this.#thereMs, this.#timeline.nowMs + thereMs);
    this.#timeline.plan(this.#thereMs - this.#timeline.nowMs, () => {
      if (epoch !== this.#epoch || this.server.state !== "up") return;
      this.#network.heard?.(this.process, point);
      const answer = attempt(act);
      if (isAfter(fault)) return this.#network.strike(fault, point, this.process);
      if (answered === undefined) return;
      this.#backMs = Math.max(this.#backMs, this.#timeline.nowMs + backMs);
      this.#timeline.plan(this.#backMs - this.#timeline.nowMs, () => {
        if (epoch === this.#epoch) this.process.receive(() => answered(answer));
      });
    });
  }

  #break(): void {
    this.#epoch += 1;
    this.#thereMs = 0;
    this.#backMs = 0;
    if (this.process.isDead) return this.#endAll();
    if (this.#status === "connected") this.#become("disconnected");
  }

  #mend(): void {
    const { nowMs } = this.#timeline;
    if (this.#status !== "disconnected" || this.process.isDead) return;
    if (this.server.state === "down" || nowMs < this.#cutUntilMs) return;
    // The process connects again: one that is frozen does so when it goes on.
    this.process.receive(() => {
      if (this.#status !== "disconnected" || this.server.state === "down") return;
      this.#become("connected");
      for (const pending of [...this.#pending]) pending.transmit();
    });
  }

  #become(status: BrokerStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    this.process.receive(() => {
      for (const listener of [...this.#listeners]) listener(status);
    });
  }

  #endAll(): void {
    for (const end of [...this.#attached]) end();
    this.#attached.clear();
    this.#pending.clear();
  }
}

function isAfter(
  fault: FaultKind | undefined,
): fault is "kill-after" | "cut-after" | "crash-after" {
  return fault === "kill-after" || fault === "cut-after" || fault === "crash-after";
}

function attempt<T>(act: () => T): { value: T } | { error: Error } {
  try {
    return { value: act() };
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }
}
