import { type ErrorCode, type LockClaim, MillraceError, recordError } from "@millrace/core";
import { EXPIRY_JITTER_MS, leaseTime, RELEASE_JITTER_MS } from "./lease-time.ts";
import { BackgroundRetries } from "../service/background-retries.ts";
import { LeaseTerms } from "./lease-terms.ts";
import { listenForRelease } from "./listen-for-release.ts";
import type { LockDuties } from "./lock-machine.ts";
import type { LockHost, LockRequest } from "./lock-request.ts";

/**
 * What waiting can't cure. All else may be a server that restarts, elects a leader or has no room
 * at the moment.
 */
const LASTING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid-name",
  "invalid-option",
  "permission-denied",
  "auth-failed",
  "server-too-old",
  "connection-closed",
]);

/** The machine's duties on a lock store. */
export function lockDuties(
  host: LockHost,
  request: LockRequest,
  tell: Pick<LockDuties, "onGranted" | "onLost">,
  // One object for all tries, by which the store recognises a write whose answer was lost.
  claim: LockClaim = { holder: request.holder, leaseMs: request.leaseMs },
): LockDuties {
  const { locks, clock, random } = host;
  const { name, holder, leaseMs } = request;
  const waiter = { name, holder, since: clock.now() };
  const log = host.log.child({ lock: name });
  const terms = new LeaseTerms({ locks, clock, name, leaseMs }, claim);

  return {
    leaseMs,
    now: () => clock.monotonic(),
    waitUntilMs: clock.monotonic() + request.waitMs,
    isPatient: request.waitMs > 0,
    isPassing,
    isLoss: (error) => MillraceError.is(error, "lock-lost"),
    jitter: (source) => random() * (source === "release" ? RELEASE_JITTER_MS : EXPIRY_JITTER_MS),
    look: () => locks.look(name),

    acquire: async () => {
      const fromMs = clock.monotonic();
      const lock = await locks.acquire(name, claim);
      if (lock === undefined) return undefined;
      if (clock.monotonic() < fromMs + leaseTime.heldForMs(leaseMs))
        return terms.begin(lock, fromMs);
      await locks.release(lock);
      throw new MillraceError(
        "request-timeout",
        `The lock ${name} was given after most of its lease of ${leaseMs} ms had passed, and was released again. Use a longer lease, or see what holds up this process or its server.`,
      );
    },

    renew: ({ lock }) => {
      const fromMs = clock.monotonic();
      return locks.renew(lock, claim).then((renewed) => terms.begin(renewed, fromMs));
    },

    heldUntilMs: (term) => terms.heldUntilMs(term),
    watch: (term, lapsed) => terms.watch(term, lapsed),

    release: async (term) => {
      terms.end();
      const free = async (): Promise<void> => {
        // A renewal that is under way is not waited for: the store recognises what it wrote.
        const lock = terms.latest ?? term.lock;
        if (!(await locks.release(lock)))
          log.debug({ token: lock.token }, "the lock was held no more");
      };
      const freeIfPassing = (error: unknown): Promise<void> => {
        if (!isPassing(error)) throw error;
        return free();
      };
      await free()
        .catch(freeIfPassing)
        .catch((error: unknown) => {
          // Nobody waits for it any more, but somebody may wait for the lock.
          if (isPassing(error))
            void new BackgroundRetries(clock).run(() => free().catch(unlessLasting), leaseMs);
          throw error;
        });
    },

    listen: (say) => listenForRelease({ locks, waiter, log }, say),
    onTrouble: (doing, error) => log.warn({ error: recordError(error) }, TROUBLE[doing]),
    onGranted: tell.onGranted,
    onLost: (superseded) => {
      terms.end();
      tell.onLost(superseded);
    },
  };
}

const TROUBLE = {
  acquire: "a lock could not be asked for; trying again",
  renew: "a lock could not be renewed; trying again",
  release: "a lock could not be released; trying again until its lease is over",
} as const;

/** What waiting can't cure is not tried again. */
function unlessLasting(error: unknown): void {
  if (isPassing(error)) throw error;
}

function isPassing(error: unknown): boolean {
  return MillraceError.is(error) && !LASTING.has(error.code);
}
