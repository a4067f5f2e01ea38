import { v7 } from "uuid";

/**
 * A new job id: UUID version 7. It needs no coordination, any language makes the same kind, and it sorts by creation,
 * so that lists read in order and the server's subject index stores the shared prefix once.
 */
export function newJobId(): string {
  return v7();
}
