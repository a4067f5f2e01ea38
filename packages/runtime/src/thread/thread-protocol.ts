import type {
  AbortCause,
  EnqueueItemResult,
  Envelope,
  HandlerWish,
  PreparedJob,
  ThreadLease,
  RecordedFields,
} from "@millrace/core";

/**
 * What the node says to a worker thread. `attempt` is its number: what an attempt has left behind
 * in its thread may speak while another is run there.
 */
export type ToThread =
  | {
      readonly do: "run";
      readonly attempt: number;
      readonly name: string;
      readonly envelope: Envelope;
      readonly token: number;
      readonly node: string;
      readonly maxAttempts: number;
      readonly trace?: TraceOrder;
      readonly lease?: ThreadLease;
    }
  | {
      readonly do: "abort";
      readonly attempt: number;
      readonly cause: AbortCause;
      readonly message: string;
    }
  /** The answer to `enqueue`. */
  | {
      readonly do: "enqueued";
      readonly attempt: number;
      readonly call: number;
      readonly sent: PortableSent;
    };

/** How a handler that is traced goes on in its thread. */
export interface TraceOrder {
  /** URL of a module that exports a `ThreadTracing`. */
  readonly module: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a worker thread says to the node, and of which attempt. */
export type FromThread = Said & { readonly attempt: number };

/** Errors are taken apart, because a structured clone loses most of one. */
export type Said =
  | { readonly say: "begun" }
  | {
      readonly say: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly fields: object;
      readonly message: string;
    }
  /** The handler has made a signal and forgotten it. */
  | { readonly say: "stray"; readonly wish: HandlerWish["kind"] }
  | { readonly say: "progress"; readonly value: number; readonly note: string | undefined }
  | { readonly say: "returned"; readonly value: unknown }
  /** After a `returned` that the node may not be able to read. */
  | { readonly say: "ended" }
  /**
   * Jobs that the handler enqueues, made in the thread and sent from the node. `call` tells answers
   * apart.
   */
  | { readonly say: "enqueue"; readonly call: number; readonly jobs: readonly PreparedJob[] }
  /** The handler's result can't leave the thread, or could not be sent on from the node. */
  | { readonly say: "returned-unsendable"; readonly why: string | undefined }
  | { readonly say: "wished"; readonly wish: PortableWish }
  | { readonly say: "threw"; readonly error: PortableError };

/**
 * What a thread says of an attempt that is over. `job` is its id: nobody at the node listens to
 * that attempt any more.
 */
export interface LeftOut {
  readonly late: "enqueue";
  readonly job: string;
  readonly error: PortableError;
}

export type PortableSent =
  | { readonly ok: true; readonly results: readonly PortableResult[] }
  | { readonly ok: false; readonly error: PortableError };

export type PortableResult =
  | Extract<EnqueueItemResult, { readonly ok: true }>
  | (Omit<Extract<EnqueueItemResult, { readonly ok: false }>, "error"> & {
      readonly error: PortableError;
    });

export interface PortableError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly fields?: RecordedFields;
}

export type PortableWish =
  | { readonly kind: "retry-after"; readonly delayMs: number; readonly cause: PortableError }
  | { readonly kind: "fatal"; readonly cause: PortableError }
  | { readonly kind: "snooze"; readonly delayMs: number }
  | { readonly kind: "cancel"; readonly reason: string };
