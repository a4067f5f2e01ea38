import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type {
  AttemptTrace,
  Envelope,
  Settlement,
  SettlementInput,
  SettlementStep,
  StartedAttempt,
} from "@millrace/core";
import { addJob, ATTR, operationAttributes } from "./attributes.ts";
import { creationOf, extracted, injected, withPreviousAttempt } from "./carrier.ts";
import { markFailed } from "./failure.ts";
import { failureOf } from "./failure-of.ts";
import type { TelemetryConfig } from "./options.ts";
import { carrying } from "./publish.ts";
import { handlerAttributes } from "./handler-attributes.ts";
import { linksOf } from "./links-of.ts";

/** The `process` span of one attempt, from the handler's start to the confirmed settlement. */
export class AttemptSpan implements AttemptTrace {
  readonly #tracer: Tracer;
  readonly #config: TelemetryConfig;
  readonly #started: StartedAttempt;
  /** False for a job that came without a trace: this attempt is what its later ones hang under. */
  readonly #hasCreation: boolean;
  readonly #context: Context;
  readonly #span: Span;
  /** The publish of the job that follows in a chain; made once, however often its settlement is tried. */
  #following: { readonly envelope: Envelope; readonly span: Span } | undefined;

  constructor(tracer: Tracer, config: TelemetryConfig, started: StartedAttempt) {
    this.#tracer = tracer;
    this.#config = config;
    this.#started = started;
    const { headers } = started.envelope;
    const from = config.propagation === "none" ? ROOT_CONTEXT : extracted(headers);
    const creation = creationOf(from);
    this.#hasCreation = creation !== undefined;
    const parent = config.propagation === "parent" ? from : trace.deleteSpan(from);
    const links = linksOf(config, headers, creation);
    this.#span = tracer.startSpan(
      `process ${started.envelope.name}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: operationAttributes("process", started.envelope.queue, started.endpoint()),
        ...(links === undefined ? {} : { links }),
      },
      parent,
    );
    // What a sampler has no use for is not prepared for spans that nobody records, and costs half of what it would at the start.
    if (this.#span.isRecording()) this.#span.setAttributes(attributesOf(started));
    this.#context = trace.setSpan(parent, this.#span);
    if (started.gatedMs !== undefined)
      this.#span.addEvent("gates.passed", { [ATTR.gateWaitMs]: started.gatedMs });
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  run<Result>(call: () => Result): Result {
    return context.with(this.#context, call);
  }

  event(name: string, attributes?: Attributes): void {
    this.#span.addEvent(name, attributes);
  }

  headers(): Readonly<Record<string, string>> {
    return injected({}, this.#context);
  }

  settling(_input: SettlementInput, settlement: Settlement): Settlement {
    if (this.#config.propagation === "none") return settlement;
    // Of most settlements nothing is published but the record.
    if (!settlement.steps.some(carries)) return settlement;
    const steps = settlement.steps.map((step) => this.#carrying(step));
    const again = steps.find((step) => step.do === "requeue" || step.do === "hold");
    return { ...settlement, steps, envelope: again?.envelope ?? settlement.envelope };
  }

  settled({ outcome }: SettlementInput, settlement: Settlement): void {
    const { state, reason, notBefore } = settlement;
    this.#following?.span.end();
    const kind = state === "abandoned" ? "lease-lost" : outcome.kind;
    this.#span.setAttribute(ATTR.outcome, kind);
    const failure = failureOf(outcome, settlement);
    if (failure !== undefined) markFailed(this.#span, failure);
    // A success is settled when its span ends, and needs nothing more said.
    if (state !== "succeeded")
      this.#span.addEvent("settled", {
        [ATTR.state]: state,
        ...(reason === undefined ? {} : { "job.dead_reason": reason }),
        ...(notBefore === undefined
          ? {}
          : { [ATTR.scheduledAt]: new Date(notBefore).toISOString() }),
      });
    this.#span.end();
  }

  abandoned(): void {
    this.#following?.span.end();
    this.#span.setAttribute(ATTR.outcome, "let-go");
    this.#span.addEvent("let-go");
    this.#span.end();
  }

  /** A dead letter keeps the context, too: its replay links to it. */
  #carrying(step: SettlementStep): SettlementStep {
    switch (step.do) {
      case "requeue":
      case "hold":
        return { ...step, envelope: { ...step.envelope, headers: this.#again(step.envelope) } };
      case "enqueue":
        return { ...step, envelope: this.#follow(step.envelope) };
      case "bury":
        return this.#hasCreation
          ? step
          : {
              ...step,
              letter: { ...step.letter, headers: injected(step.letter.headers, this.#context) },
            };
      default:
        return step;
    }
  }

  #again({ headers }: Envelope): Envelope["headers"] {
    const inTrace = this.#hasCreation ? headers : injected(headers, this.#context);
    return withPreviousAttempt(inTrace, this.#span.spanContext());
  }

  #follow(envelope: Envelope): Envelope {
    if (this.#following === undefined) {
      const span = this.#tracer.startSpan(
        `publish ${envelope.queue}`,
        {
          kind: SpanKind.PRODUCER,
          attributes: addJob(
            operationAttributes("publish", envelope.queue, this.#started.endpoint()),
            envelope,
          ),
        },
        this.#context,
      );
      const own = trace.setSpan(this.#context, span);
      this.#following = { span, envelope: carrying(this.#config, envelope, own) };
    }
    return { ...envelope, headers: this.#following.envelope.headers };
  }
}

function carries({ do: kind }: SettlementStep): boolean {
  return kind === "requeue" || kind === "hold" || kind === "enqueue" || kind === "bury";
}

function attributesOf(started: StartedAttempt): Attributes {
  const { envelope, job, maxAttempts, waitedMs, singletonToken, node } = started;
  const attributes = addJob({}, envelope);
  attributes[ATTR.attempt] = envelope.attempts + 1;
  attributes[ATTR.maxAttempts] = maxAttempts;
  attributes[ATTR.queueWaitMs] = waitedMs;
  attributes[ATTR.node] = node;
  if (singletonToken !== undefined && job.singleton !== undefined)
    attributes[ATTR.singletonToken] = singletonToken;
  return Object.assign(attributes, handlerAttributes(job));
}
