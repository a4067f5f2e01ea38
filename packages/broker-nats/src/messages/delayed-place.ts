import type { Envelope, JobRef } from "@millrace/core";
import { enqueueMark } from "./enqueue-mark.ts";

/**
 * The last token of a delayed job's subject, which holds one message. The id may be another job's,
 * too, once its queue has forgotten it: each has a place of its own, or one would take the other's.
 */
export function placeOf(envelope: Envelope): string {
  const mark = enqueueMark(envelope);
  return mark === undefined ? `${envelope.generation}` : `${envelope.generation}-${mark}`;
}

export function readPlace({
  place,
  ...job
}: JobRef & { readonly place: string }): JobRef & Pick<Envelope, "generation"> {
  return { ...job, generation: Number(place.split("-", 1)[0]) };
}
