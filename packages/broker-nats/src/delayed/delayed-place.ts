import type { Envelope, JobRef } from "@millrace/core";
import { enqueueMark, type PublishStep } from "../settlement/enqueue-mark.ts";

/**
 * The last token of a delayed job's subject, which holds one message. The id may be another job's,
 * too, once its queue has forgotten it: each has a place of its own, or one would take the other's.
 */
export function placeOf(envelope: Envelope, step: PublishStep): string {
  const mark = enqueueMark(envelope, step);
  return mark === undefined ? `${envelope.generation}` : `${envelope.generation}-${mark}`;
}

/** A job that is due, as far as its subject tells. */
export interface PlacedJob extends JobRef, Pick<Envelope, "generation"> {
  /** It follows another, and was never settled. */
  readonly follows: boolean;
}

export function readPlace({ place, ...job }: JobRef & { readonly place: string }): PlacedJob {
  const [generation, mark] = place.split("-");
  return {
    ...job,
    generation: Number(generation),
    follows: generation === "0" && mark !== undefined,
  };
}
