import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { type EndedWait, type Envelope, StepError, type StepRef } from "@millrace/core";
import { ATTR } from "./attributes.ts";
import { markFailed } from "./failure.ts";

export interface StepSpansOptions {
  readonly tracer: Tracer;
  readonly envelope: Envelope;
  /** The attempt's, under which steps are run. */
  readonly attempt: Context;
  /** Under which a wait is: it may have begun long before the attempt. */
  readonly waits: Context;
}

/** The spans of one attempt's steps: of those that it runs, and of waits that end in it. */
export class StepSpans {
  readonly #options: StepSpansOptions;
  readonly #open = new Set<Span>();

  constructor(options: StepSpansOptions) {
    this.#options = options;
  }

  async run<Result>(step: StepRef, work: () => Promise<Result>): Promise<Result> {
    const { tracer, attempt } = this.#options;
    const options = { kind: SpanKind.INTERNAL, attributes: this.#attributes(step) };
    const span = tracer.startSpan(`run ${step.name}`, options, attempt);
    this.#open.add(span);
    try {
      const result = await context.with(trace.setSpan(attempt, span), work);
      this.#end(span, "recorded");
      return result;
    } catch (threw) {
      // What else is thrown is no failure of the step: it was told to stop, or asks for a delay.
      const isFailure = StepError.is(threw);
      if (isFailure) markFailed(span, threw.recorded);
      this.#end(span, isFailure ? "failed" : "stopped");
      throw threw;
    }
  }

  waited({ kind, outcome, startedAt, endedAt, child, ...step }: EndedWait): void {
    const { tracer, attempt, waits } = this.#options;
    const attributes: Attributes = { ...this.#attributes(step), [ATTR.stepOutcome]: outcome };
    if (child !== undefined) attributes[ATTR.stepChild] = child.id;
    const own = trace.getSpanContext(attempt);
    const links = own === undefined || waits === attempt ? [] : [{ context: own }];
    const options = { kind: SpanKind.INTERNAL, attributes, links, startTime: startedAt };
    tracer.startSpan(`${kind} ${step.name}`, options, waits).end(endedAt);
  }

  /** The attempt is over: of what is under way no record is waited for. */
  close(): void {
    for (const span of this.#open) this.#end(span, "stopped");
  }

  #end(span: Span, outcome: string): void {
    if (!this.#open.delete(span)) return;
    span.setAttribute(ATTR.stepOutcome, outcome);
    span.end();
  }

  #attributes({ name, n }: StepRef): Attributes {
    const { id, name: job, queue } = this.#options.envelope;
    return {
      [ATTR.jobId]: id,
      [ATTR.jobName]: job,
      [ATTR.jobQueue]: queue,
      [ATTR.stepName]: name,
      [ATTR.stepNumber]: n + 1,
    };
  }
}
