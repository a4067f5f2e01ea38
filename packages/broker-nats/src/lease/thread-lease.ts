import { GENERATIONS, LeaseSegment, SLOTS_PER_SEGMENT } from "./lease-segment.ts";
import { sharedNowMs } from "./shared-clock.ts";

/** A lease as another thread of the process can look at it. */
export interface LeaseState {
  readonly buffer: SharedArrayBuffer;
  /** Its number in that segment and its generation, as one. */
  readonly lease: number;
}

/** As `LeaseKeeper.isHeld`, but it only looks: whoever owns the lease has to declare it lost. */
export function isHeld({ buffer, lease }: LeaseState): boolean {
  const segment = new LeaseSegment(buffer);
  const slot = Math.floor(lease / GENERATIONS) % SLOTS_PER_SEGMENT;
  return segment.isHeld(slot, lease % GENERATIONS) && segment.age(slot, sharedNowMs()) !== "over";
}
