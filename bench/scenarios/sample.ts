import { latencyOf } from "./figures.ts";
import type { Figure } from "./figure.ts";

/**
 * One at a time: each sample starts when the one before has ended. A fifth more comes first and
 * isn't counted.
 */
export async function sample(
  amount: number,
  once: (index: number) => Promise<number>,
): Promise<Figure> {
  const warmUp = Math.ceil(amount / 5);
  const samples: number[] = [];
  for (let index = 0; index < amount + warmUp; index += 1) {
    const ms = await once(index);
    if (index >= warmUp) samples.push(ms);
  }
  return latencyOf(samples);
}
