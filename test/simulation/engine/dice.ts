/** A number in [0, 1) for a name, the same whenever and in whatever order it is asked for. */
export type Dice = (name: string) => number;

/**
 * Dice that are hashes of a seed and a name. Counted dice would all fall otherwise once a job is
 * left out, and nothing could be shrunk.
 */
export function diceOf(seed: number): Dice {
  const start = mix(seed ^ 0x9e3779b9);
  return (name) => {
    let hash = start;
    for (let i = 0; i < name.length; i += 1) {
      hash ^= name.charCodeAt(i);
      hash = Math.imul(hash, 0x01000193);
    }
    return mix(hash) / 0x1_0000_0000;
  };
}

/** A whole number from `least` to `most`. */
export function between(dice: Dice, name: string, least: number, most: number): number {
  return least + Math.floor(dice(name) * (most - least + 1));
}

export function oneOf<T>(dice: Dice, name: string, of: readonly [T, ...T[]]): T {
  return of[Math.floor(dice(name) * of.length)] ?? of[0];
}

/** By weight; a kind of weight 0 never comes. */
export function byWeight<Kind extends string>(
  dice: Dice,
  name: string,
  weights: Readonly<Record<Kind, number>>,
): Kind | undefined {
  const entries = Object.entries<number>(weights) as [Kind, number][];
  let left = dice(name) * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of entries) {
    if (left < weight) return kind;
    left -= weight;
  }
  return undefined;
}

/** For what asks for `Math.random` of its own: a row of numbers under one name. */
export function rowOf(dice: Dice, name: string): () => number {
  let index = 0;
  return () => dice(`${name} ${(index += 1)}`);
}

/** The last steps of murmur3: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Lives a world through by a seed's dice: what takes no source of its own has its numbers, too. */
export async function byDice<World>(
  seed: number,
  live: (dice: Dice) => Promise<World>,
): Promise<World> {
  const dice = diceOf(seed);
  const random = Math.random;
  Math.random = rowOf(dice, "anybody's random");
  try {
    return await live(dice);
  } finally {
    Math.random = random;
  }
}
