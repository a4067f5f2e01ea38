import {
  type LockClaim,
  MillraceError,
  optionNames,
  refuseUnknown,
  requireLease,
  requireLockName,
} from "@millrace/core";
import { createActor } from "xstate";
import { xstateClock } from "../service/xstate-clock.ts";
import { clockedSignal } from "./clocked-signal.ts";
import { lockDuties } from "./lock-duties.ts";
import { type LeaseTerm, lockMachine } from "./lock-machine.ts";
import type { HeldLease, LockHost, LockRequest } from "./lock-request.ts";

const NAMES = optionNames<LockRequest>({
  ...{ name: true, holder: true, leaseMs: true, waitMs: true, signal: true },
});

/**
 * Takes a lock and keeps it: renewed every third of its lease, given up before the lease can be
 * over.
 *
 * @param claim of a call before that got no answer, whose holder and lease are the same: what that
 *   may have taken is this call's
 * @returns undefined where another still has it after `waitMs`
 * @throws MillraceError `invalid-name`, `invalid-option`, or why the store can't be used; with
 *   `waitMs` at 0 also `request-timeout` and its kin. The signal's reason where it was aborted
 *   before the lock was had.
 *
 * @example
 * const lease = await takeLock(host, { name: "report", holder: node, leaseMs: 30_000, waitMs: 0 });
 * if (lease === undefined) return "somebody else does it";
 * try { await report(lease.token, lease.signal); } finally { await lease.release(); }
 */
export async function takeLock(
  host: LockHost,
  request: LockRequest,
  claim?: LockClaim,
): Promise<HeldLease | undefined> {
  refuseUnknown(request, NAMES, "takeLock()");
  requireLockName(request.name);
  requireLease(request.leaseMs);
  request.signal?.throwIfAborted();

  const answer = Promise.withResolvers<HeldLease | undefined>();
  const ended = Promise.withResolvers<void>();
  const controller = new AbortController();
  /** Set before the signal is aborted, because whoever is told may ask at once. */
  let loss: MillraceError | undefined;
  const lose = (superseded?: unknown): void => {
    if (loss !== undefined) return;
    loss = lost(request, superseded);
    controller.abort(loss);
  };
  const tell = {
    onLost: lose,
    onGranted: ({ lock }: LeaseTerm) => answer.resolve(heldLease(lock.token)),
  };
  const duties = lockDuties(host, request, tell, claim);
  const actor = createActor(lockMachine, { clock: xstateClock(host.clock), input: duties });
  const giveUp = (): void => actor.send({ type: "GIVE_UP" });

  function heldLease(token: number): HeldLease {
    const isHeld = (): boolean => {
      const snapshot = actor.getSnapshot();
      const { term } = snapshot.context;
      if (loss !== undefined || term === undefined || !snapshot.matches("holding")) return false;
      if (duties.now() < duties.heldUntilMs(term)) return true;
      lose();
      actor.send({ type: "LAPSED" });
      return false;
    };
    return {
      name: request.name,
      token,
      signal: clockedSignal(controller.signal, isHeld),
      isHeld,
      release: () => {
        if (actor.getSnapshot().matches("holding")) actor.send({ type: "RELEASE" });
        return ended.promise;
      },
    };
  }

  actor.subscribe((snapshot) => {
    if (snapshot.matches("holding") || snapshot.status !== "active")
      request.signal?.removeEventListener("abort", giveUp);
    if (snapshot.status === "active") return;
    ended.resolve();
    if (snapshot.matches("failed")) answer.reject(snapshot.context.error);
    else if (snapshot.matches("givenUp")) answer.reject(request.signal?.reason);
    else answer.resolve(undefined);
  });
  actor.start();
  request.signal?.addEventListener("abort", giveUp, { once: true });
  actor.send({ type: "START" });
  return answer.promise;
}

function lost({ name }: LockRequest, superseded: unknown): MillraceError {
  return superseded === undefined
    ? new MillraceError(
        "lock-lost",
        `The lock ${name} could not be renewed in time: another may hold it by now. Stop what it protects.`,
      )
    : new MillraceError(
        "lock-lost",
        `The lock ${name} was taken by another or released by an operator. Stop what it protects.`,
        { cause: superseded },
      );
}
