/** Of what a container may use; the rest is for buffers, threads and the one that starts them. */
const HEAPS = 0.75;
const LEAST_MB = 64;

/**
 * Node's argument that keeps the heaps of several processes within a container's memory together.
 *
 * @param constrained what the container may use, in bytes, as `process.constrainedMemory()` tells
 *   it: 0, or more than the machine has, where there is no such limit
 * @returns nothing where there is no limit, or where somebody has set the heap
 */
export function heapShare(
  count: number,
  {
    constrained,
    total,
    nodeArgs,
    nodeOptions = "",
  }: {
    readonly constrained: number;
    readonly total: number;
    readonly nodeArgs: readonly string[];
    readonly nodeOptions?: string | undefined;
  },
): readonly string[] {
  if (constrained <= 0 || constrained > total) return [];
  if ([...nodeArgs, nodeOptions].some((one) => /max[-_]old[-_]space/.test(one))) return [];
  const megabytes = Math.floor((constrained * HEAPS) / count / 1_048_576);
  return [`--max-old-space-size=${Math.max(LEAST_MB, megabytes)}`];
}
