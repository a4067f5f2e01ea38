/** The one argument of the holder program, as JSON. */
export interface HolderConfig {
  readonly servers: string;
  readonly namespace: string;
  readonly replicas?: number;
  readonly name: string;
  readonly lock: string;
  readonly leaseMs: number;
  /** The register's file. */
  readonly register: string;
  /** Whether it works a queue too, as a node does. */
  readonly isNode: boolean;
}

/**
 * What a holder program says over IPC. `atMs` is the machine's monotonic clock, which all processes
 * share.
 */
export type Said =
  | { readonly say: "waiting" }
  | { readonly say: "held"; readonly token: number; readonly atMs: number }
  /** `superseded`: it was told that another has the lock; else it gave up by its own clock. */
  | { readonly say: "lost"; readonly atMs: number; readonly superseded: boolean }
  | {
      readonly say: "wrote";
      /** `isHeld()` and `signal.aborted`, read right before the write. */
      readonly held: boolean;
      readonly aborted: boolean;
      readonly accepted: boolean;
    };
