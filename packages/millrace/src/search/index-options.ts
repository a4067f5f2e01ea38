import type { Broker, Clock } from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";

/** Where an index of jobs is kept, and how much of it. */
export interface JobIndexOptions {
  /** What it is an index of: `millrace.broker`. It stays the caller's to close. */
  readonly broker: Broker;
  /** Tells fleets apart that are indexed in one file, one after the other. Default: one fleet. */
  readonly namespace?: string;
  /** A SQLite file. Default: one without a name, which goes with the process. */
  readonly path?: string;
  /**
   * Instead of a file, the URL of a PostgreSQL database, which several dashboards share:
   * `postgres://user:password@host/database`. Needs the package `pg`.
   */
  readonly postgres?: string;
  /** Jobs that have stood as they are for longer are forgotten. Default: 7 days. */
  readonly keepMs?: number;
  /** Of more, the oldest are forgotten. Default: 1 GiB. */
  readonly maxBytes?: number;
  /**
   * Hides secrets before anything is kept: `millrace.mask`, or whoever searches could guess what
   * the client hides.
   */
  readonly mask: Mask;
  readonly clock?: Clock;
  /** Told of what should not happen. Default: nobody. */
  readonly onDefect?: (error: unknown) => void;
}
