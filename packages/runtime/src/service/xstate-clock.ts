import type { Clock, Timer } from "@millrace/core";

/** What XState wants of a clock, over ours, so that delayed transitions follow an injected time. */
export function xstateClock(clock: Clock): {
  setTimeout(fire: () => void, ms: number): Timer;
  clearTimeout(timer: Timer): void;
} {
  return {
    setTimeout: (fire, ms) => clock.setTimer(ms, fire),
    clearTimeout: (timer) => timer?.cancel(),
  };
}
