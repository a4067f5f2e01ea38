import type { Role } from "../api/views/views.ts";

/** Who asks. The name stands in the audit. */
export interface DashboardUser {
  readonly name: string;
  /** A viewer looks; an operator changes too. */
  readonly role: Role;
  /**
   * Whether they may see payloads, contexts and results as they are stored: each look is in the
   * audit. Default: no, all they see is masked.
   */
  readonly payloads?: boolean;
}

/**
 * Says who asks: `undefined` refuses. Called for every request, and every 15 seconds for a page
 * that is open, with the request by which it follows what moves. So it should look a session up
 * rather than compute a password's hash.
 */
export type Authorize = (
  request: Request,
) => DashboardUser | undefined | Promise<DashboardUser | undefined>;

/** What is known of a request once it was let in. */
export interface DashboardEnv {
  Variables: { user: DashboardUser };
}
