import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type {
  AttemptTrace,
  EndedWait,
  Envelope,
  Settlement,
  SettlementInput,
  SettlementStep,
  StartedAttempt,
  StepRef,
} from "@millrace/core";
import {
  addClient,
  addJob,
  ATTR,
  operationAttributes,
  sampledAttributes,
  tellConsumer,
  tellJob,
} from "./attributes.ts";
import {
  creationOf,
  extracted,
  hangsUnderCreation,
  injected,
  withPreviousAttempt,
} from "./carrier.ts";
import { markFailed } from "./failure.ts";
import { failureOf } from "./failure-of.ts";
import type { TelemetryConfig } from "./options.ts";
import { carrying } from "./publish.ts";
import { handlerAttributes } from "./handler-attributes.ts";
import { linksOf } from "./links-of.ts";
import { queuedSpan } from "./queued-span.ts";
import { nameOf } from "./span-name.ts";
import { StepSpans } from "./step-spans.ts";
import { EMPTY_CONTEXT } from "./lone-context.ts";

/** The `process` span of one attempt, from the handler's start to the confirmed settlement. */
export class AttemptSpan implements AttemptTrace {
  readonly #tracer: Tracer;
  readonly #config: TelemetryConfig;
  readonly #started: StartedAttempt;
  /** As the job's headers say. */
  readonly #from: Context;
  readonly #context: Context;
  readonly #span: Span;
  /**
   * The publish of the job that follows in a chain; made once, however often its settlement is
   * tried.
   */
  #following: Map<string, Publishing> | undefined;
  /** Of a job with steps. */
  #steps: StepSpans | undefined;

  constructor(tracer: Tracer, config: TelemetryConfig, started: StartedAttempt) {
    this.#tracer = tracer;
    this.#config = config;
    this.#started = started;
    const { envelope } = started;
    const { propagation } = config;
    this.#from =
      propagation === "none" ? EMPTY_CONTEXT : extracted(envelope.headers, EMPTY_CONTEXT);
    const parent = propagation === "parent" ? this.#from : trace.deleteSpan(this.#from);
    const links = linksOf(config, envelope.headers, this.#from);
    const attributes = sampledAttributes("process", envelope.queue);
    this.#span = tracer.startSpan(
      nameOf("process", envelope),
      links === undefined
        ? { kind: SpanKind.CONSUMER, attributes }
        : { kind: SpanKind.CONSUMER, attributes, links },
      parent,
    );
    // What a sampler has no use for is not prepared for spans that nobody records, and costs half
    // of what it would at the start.
    if (this.#span.isRecording()) {
      describe(this.#span, started);
      queuedSpan(tracer, config, this.#from, started);
    }
    this.#context = trace.setSpan(parent, this.#span);
    if (started.limitedMs !== undefined)
      this.#span.addEvent("limits.passed", { [ATTR.limitWaitMs]: started.limitedMs });
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  run<Result>(call: () => Result): Result {
    return context.with(this.#context, call);
  }

  step<Result>(step: StepRef, work: () => Promise<Result>): Promise<Result> {
    return this.#span.isRecording() ? this.#stepSpans().run(step, work) : work();
  }

  waited(wait: EndedWait): void {
    if (this.#span.isRecording()) this.#stepSpans().waited(wait);
  }

  event(name: string, attributes?: Attributes): void {
    this.#span.addEvent(name, attributes);
  }

  headers(): Readonly<Record<string, string>> {
    return injected({}, this.#context);
  }

  settling(_input: SettlementInput, settlement: Settlement): Settlement {
    if (this.#config.propagation === "none") return settlement;
    // Most settlements publish nothing but the record.
    if (!settlement.steps.some(carries)) return settlement;
    const steps = settlement.steps.map((step) => this.#carrying(step));
    const again = steps.find((step) => step.do === "requeue" || step.do === "block");
    return { ...settlement, steps, envelope: again?.envelope ?? settlement.envelope };
  }

  settled({ outcome }: SettlementInput, settlement: Settlement): void {
    const { state, reason, notBefore } = settlement;
    this.#endFollowing();
    this.#steps?.close();
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
    this.#endFollowing();
    this.#steps?.close();
    this.#span.setAttribute(ATTR.outcome, "abandoned");
    this.#span.addEvent("abandoned");
    this.#span.end();
  }

  /** A dead letter keeps the context, too: its replay links to it. */
  #carrying(step: SettlementStep): SettlementStep {
    switch (step.do) {
      case "requeue":
      case "block":
        return { ...step, envelope: { ...step.envelope, headers: this.#again(step.envelope) } };
      case "enqueue":
        return { ...step, envelope: this.#follow(step.envelope) };
      case "bury":
        return this.#hasCreation()
          ? step
          : {
              ...step,
              letter: { ...step.letter, headers: injected(step.letter.headers, this.#context) },
            };
      default:
        return step;
    }
  }

  /** A wait hangs beside the attempts, where they hang under something. */
  #stepSpans(): StepSpans {
    this.#steps ??= new StepSpans({
      tracer: this.#tracer,
      envelope: this.#started.envelope,
      attempt: this.#context,
      waits: hangsUnderCreation(this.#config, this.#from) ? this.#from : this.#context,
    });
    return this.#steps;
  }

  /** False for a job that came without a trace: this attempt is what its later ones hang under. */
  #hasCreation(): boolean {
    return creationOf(this.#from) !== undefined;
  }

  #again({ headers }: Envelope): Envelope["headers"] {
    const inTrace = this.#hasCreation() ? headers : injected(headers, this.#context);
    return withPreviousAttempt(inTrace, this.#span.spanContext());
  }

  /** A settlement that is tried again publishes the same again. */
  #follow(envelope: Envelope): Envelope {
    this.#following ??= new Map();
    let following = this.#following.get(envelope.id);
    if (following === undefined) {
      const { node, endpoint } = this.#started;
      const span = this.#tracer.startSpan(
        `publish ${envelope.queue}`,
        {
          kind: SpanKind.PRODUCER,
          attributes: addClient(
            addJob(operationAttributes("publish", envelope.queue, endpoint()), envelope),
            node,
          ),
        },
        this.#context,
      );
      const own = trace.setSpan(this.#context, span);
      following = { span, headers: carrying(this.#config, envelope, own).headers };
      this.#following.set(envelope.id, following);
    }
    return { ...envelope, headers: following.headers };
  }

  #endFollowing(): void {
    if (this.#following === undefined) return;
    for (const { span } of this.#following.values()) span.end();
  }
}

/** A job that follows, on its way: its span, and the context that it carries. */
interface Publishing {
  readonly span: Span;
  readonly headers: Envelope["headers"];
}

function carries({ do: kind }: SettlementStep): boolean {
  return kind === "requeue" || kind === "block" || kind === "enqueue" || kind === "bury";
}

/** One by one, because the SDK takes an object apart to do that. */
function describe(span: Span, started: StartedAttempt): void {
  const { envelope, job, maxAttempts, waitedMs, singletonToken, node } = started;
  const tell = (key: string, value: string): void => void span.setAttribute(key, value);
  tellJob(envelope, tell);
  tellConsumer(envelope, node, tell);
  const endpoint = started.endpoint();
  if (endpoint !== undefined) {
    span.setAttribute(ATTR.serverAddress, endpoint.address);
    span.setAttribute(ATTR.serverPort, endpoint.port);
  }
  span.setAttribute(ATTR.attempt, envelope.attempts + 1);
  span.setAttribute(ATTR.maxAttempts, maxAttempts);
  span.setAttribute(ATTR.queueWaitMs, waitedMs);
  if (singletonToken !== undefined && job.singleton !== undefined)
    span.setAttribute(ATTR.singletonToken, singletonToken);
  span.setAttributes(handlerAttributes(job));
}
