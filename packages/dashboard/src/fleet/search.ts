import type { CountsFailures } from "@millrace/core";

/** An index of jobs that the page searches. What `openJobIndex` of `millrace` makes is one. */
export interface DashboardSearch extends CountsFailures {
  search(search: {
    readonly where?: string;
    readonly state?: SearchedState;
    readonly queue?: string;
    readonly limit: number;
  }): Promise<{ readonly jobs: readonly SearchedJob[]; readonly more: boolean }>;
  complete(filter: string): Promise<readonly { readonly filter: string; readonly about: string }[]>;
  status(): Promise<{
    readonly state: "catching-up" | "following" | "failing";
    /** Up to where the history is in it. */
    readonly position: number;
    readonly behind: number;
    readonly jobs: number;
    readonly bytes: number;
    readonly oldestAt?: number;
    readonly unheard: number;
    readonly problem?: { readonly code: string; readonly message: string };
  }>;
  rates(query: {
    readonly since: number;
    readonly stepMs: number;
    readonly queue?: string;
  }): Promise<readonly SearchedRate[]>;
  rebuild(): Promise<void>;
}

/** How attempts of some time ended. */
export interface SearchedRate {
  readonly at: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly dead: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly waited?: { readonly p50Ms: number; readonly p95Ms: number };
}

/** How a job last stood on record, of those the page can ask for. */
export type SearchedState = "succeeded" | "requeued" | "dead" | "expired" | "cancelled";

/** A job that was found. All of it is masked. */
export interface SearchedJob {
  readonly id: string;
  readonly createdAt?: number;
  readonly queue: string;
  readonly name: string;
  readonly state: string;
  readonly attempts: number;
  readonly at: number;
  readonly node?: string;
  readonly durationMs?: number;
  readonly error?: { readonly type: string; readonly message: string };
  readonly reason?: string;
  readonly traceId?: string;
}
