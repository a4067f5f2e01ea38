import type { BlockedStore, Clock, LockStore, Logger } from "@millrace/core";
import type { BackgroundRetries } from "../../service/background-retries.ts";
import type { PermitKeeper } from "./permit-keeper.ts";

/** What the permits of all keys share. */
export interface PermitHost {
  readonly node: string;
  readonly locks: LockStore;
  readonly blocked: Pick<BlockedStore, "release">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leaseMs: number;
  readonly keeper: PermitKeeper;
  readonly retries: BackgroundRetries;
}
