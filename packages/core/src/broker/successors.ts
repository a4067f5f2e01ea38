import type { Envelope } from "../envelope/envelope.ts";
import type { IdMemory } from "../settlement/one-end.ts";
import type { StoredDeadLetter } from "./stores/dead-letter-store.ts";

/** What there is of a job beside one message of it, and beside the history. */
export interface Successors {
  /**
   * Its later generations that wait for their time or lie in its queue, those in nodes' hands among
   * them; and those at a gate, once the gate may have forgotten their ids.
   */
  readonly waiting: readonly Envelope[];
  /** The dead letter that this very message was buried as. */
  readonly letter: StoredDeadLetter | undefined;
  /**
   * The last dead letter of the job's id in its queue, where another message was buried as it: of
   * an earlier generation, or of another job of the id.
   */
  readonly otherLetter?: StoredDeadLetter | undefined;
  /** What its queue remembers of ids: tells a duplicate of the job from another job of its id. */
  readonly memory: IdMemory;
}
