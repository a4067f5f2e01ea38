import { isIP } from "node:net";
import type { Clock } from "@millrace/core";

const MOST = 10;
const WINDOW_MS = 60_000;
/** What is kept of more addresses than these is forgotten, the oldest first. */
const ADDRESSES = 10_000;

/**
 * How often each address gave a wrong password. Who has an address of IPv6 has a network of them
 * (`/64`), which counts as one. An address that did so ten times within a minute is
 * refused until the minute is over, whatever it sends.
 */
export class FailedLogins {
  readonly #clock: Clock;
  readonly #failed = new Map<string, { count: number; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(address: string): void {
    const now = this.#clock.monotonic();
    const from = networkOf(address);
    const known = this.#failed.get(from);
    if (known !== undefined && known.untilMs > now) return void (known.count += 1);
    this.#failed.delete(from);
    this.#failed.set(from, { count: 1, untilMs: now + WINDOW_MS });
    if (this.#failed.size <= ADDRESSES) return;
    for (const oldest of this.#failed.keys()) return void this.#failed.delete(oldest);
  }

  /** For so many milliseconds nothing is taken from it; 0: it is listened to. */
  lockedMs(address: string): number {
    const known = this.#failed.get(networkOf(address));
    if (known === undefined || known.count < MOST) return 0;
    return Math.max(0, known.untilMs - this.#clock.monotonic());
  }
}

/** Addresses of IPv4 that are written as ones of IPv6: behind each is somebody else. */
const OF_IPV4 = /^(?:::ffff:|64:ff9b:)/;
const GROUPS = 8;

function networkOf(address: string): string {
  const [bare = ""] = address.split("%", 1);
  if (isIP(bare) !== 6) return address;
  // In its one shortest form.
  const short = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  if (OF_IPV4.test(short)) return short;
  const [before = [], after = []] = short.split("::").map((part) => part.split(":"));
  const left = GROUPS - before.length - after.length;
  const groups = [...before, ...Array.from({ length: left }, () => "0"), ...after];
  return `${groups.slice(0, GROUPS / 2).join(":")}::/64`;
}
