import { asItStands, moved } from "./unique-claim.ts";
import type { UniqueClaims } from "./unique-claims.ts";
import type { UniqueKey } from "./unique-key.ts";
import { gaveWayIn } from "./succession.ts";

/** Each round somebody else wrote between the look and the write that follows it. */
const ROUNDS = 100;

/**
 * Whether the job that was to give way to another has done so, now that the other is stored. Where
 * that took longer than its claim lived, nobody had seen it, and the key may have gone back.
 *
 * What is found is written down: who looked before it was stored, and is about to give the key
 * back, is refused, looks again and finds it.
 */
export async function hasReplaced(
  claims: UniqueClaims,
  key: UniqueKey,
  { id, displaced }: { readonly id: string; readonly displaced: string },
): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const stored = await claims.read(key);
    if (stored === undefined || !gaveWayIn(stored.claim, displaced)) return false;
    if (stored.claim.state !== "claimed") return true;
    const claim = stored.claim.id === id ? moved(stored, "seen") : asItStands(stored);
    if ((await claims.write(key, claim, stored.revision)) !== undefined) return true;
  }
  return false;
}
