import { setFlagsFromString } from "node:v8";

/**
 * Keeps V8 from a guess that is wrong for job processing, for the whole process. `millrace run`
 * does it; in a process of your own call it before the first node is made. It can't be set in
 * `NODE_OPTIONS`.
 *
 * V8 watches from which places in the code objects outlive a collection, and allocates what comes
 * from there among the old from then on. It judges by the first few hundred. On a node that has
 * just started those are jobs under way, all alive; so each later job puts short-lived objects
 * among the old, where they keep what they point to alive until the next full collection. Measured:
 * docs/decisions/speed.md.
 *
 * @example
 * tuneEngine();
 * const node = await createNode({ servers, jobs });
 */
export function tuneEngine(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}
