import {
  cancel,
  type CancelledJob,
  type DeadJob,
  defineJob,
  fatal,
  type Job,
  type SucceededJob,
} from "millrace";

export type Told = SucceededJob<number> | DeadJob<number> | CancelledJob<number>;

/** In a queue of its own that the test's own node serves. */
export const tell = defineJob<Told>({ name: "ends.tell", queue: "ends-told" });

const ENDS = {
  succeeded: (): unknown => "done",
  dead: (): unknown => fatal("no such account"),
  cancelled: (): unknown => cancel("not worth it"),
};
export type End = keyof typeof ENDS;
export type DieBefore = "enqueue" | "ack";

export const CASES: readonly { readonly end: End; readonly dieBefore: DieBefore }[] = [
  { end: "succeeded", dieBefore: "ack" },
  { end: "dead", dieBefore: "enqueue" },
  { end: "cancelled", dieBefore: "enqueue" },
];

/** A busy machine may let a node of this test stand still; no job is to be buried for that. */
export const PATIENCE = { lease: "5s", poisonAfter: 1_000 } as const;

/** A job that ends as told, in a queue for each case. */
export function jobOf(end: End, dieBefore: DieBefore) {
  return defineJob<number>({
    name: `ends.${end}-${dieBefore}`,
    queue: `ends-${end}-${dieBefore}`,
    retry: "none",
    onSucceeded: tell,
    onDead: tell,
    onCancelled: tell,
  });
}

export function handled(end: End, dieBefore: DieBefore, ran: () => void): Job<number> {
  return jobOf(end, dieBefore).handler(() => {
    ran();
    return ENDS[end]();
  });
}
