import assert from "node:assert/strict";
import type { HeldLock } from "@millrace/core";
import type { Scene } from "../scene.ts";

/** Where nothing is to run out, however slow the machine. */
export function longLeaseOf({ harness }: Scene): number {
  return harness.leaseMs * 30;
}

/** The one lock of a scene. */
export async function acquire(
  scene: Scene,
  holder: string,
  leaseMs = scene.harness.leaseMs,
): Promise<HeldLock> {
  const { locks } = scene.broker;
  const lock = await locks.acquire(`lock-${scene.queue}`, { holder, leaseMs });
  assert.ok(lock, `${holder} did not get the lock`);
  scene.later(() => locks.release(lock));
  return lock;
}
