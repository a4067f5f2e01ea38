import type { JobInHand } from "../job-in-hand.ts";
import { toldWhenLong } from "./told-when-long.ts";

/**
 * Waits for a suspect's turn: until every other one in this node's hands is decided on.
 *
 * @param turn never comes to a job that is ended from outside
 */
export function untilAlone(of: JobInHand, turn: Promise<void>): Promise<void> {
  return toldWhenLong(of, turn, (waiting) =>
    of.host.log.warn(waiting, "a job waits for its turn to run alone: it may be what ends nodes"),
  );
}
