import type { AnyJob, Envelope, ExecutionContext, Logger } from "@millrace/core";
import type { AbortSwitch } from "./abort-switch.ts";

/** What a handler is given. Getters, so that a job that needs no signal and no log pays for neither. */
export class AttemptContext implements ExecutionContext {
  readonly input: unknown;
  readonly job: Envelope;
  readonly node: string;
  readonly token: number;
  readonly maxAttempts: number;
  readonly progress: ExecutionContext["progress"];
  readonly #abort: AbortSwitch;
  readonly #nodeLog: Logger;
  #log: Logger | undefined;

  constructor(fields: {
    input: unknown;
    envelope: Envelope;
    definition: AnyJob;
    token: number;
    node: string;
    progress: ExecutionContext["progress"];
    abort: AbortSwitch;
    log: Logger;
  }) {
    this.input = fields.input;
    this.job = fields.envelope;
    this.node = fields.node;
    this.token = fields.token;
    this.progress = fields.progress;
    this.maxAttempts = fields.envelope.maxAttempts ?? fields.definition.retry.attempts;
    this.#abort = fields.abort;
    this.#nodeLog = fields.log;
  }

  get attempt(): number {
    return this.job.attempts + 1;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get log(): Logger {
    this.#log ??= this.#nodeLog.child({
      job: this.job.id,
      name: this.job.name,
      attempt: this.attempt,
    });
    return this.#log;
  }
}
