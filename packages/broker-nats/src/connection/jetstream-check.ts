import {
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
} from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";
import { MillraceError } from "../errors.ts";

const DISABLED =
  "This NATS server has no JetStream for this account. Start nats-server with -js (or a jetstream block), and enable it for the account.";
/** It has JetStream, so the advice to enable it would send an operator the wrong way. */
const NO_ANSWER =
  "The server is there and its JetStream gives no answer. In a cluster more than half of the members must be up: bring back those that are missing (docs/operations.md).";
/** A server that has just started answers before its JetStream does. */
const PATIENCE_MS = 2_000;
/** In a cluster the members may be electing a leader, which takes up to 9 s. */
const ELECTION_MS = 15_000;
/** JetStream error codes that mean "not for this account" and "not at the moment". */
const NOT_ENABLED = new Set([10039, 10076]);
const UNAVAILABLE = new Set([10008, 10009]);

type Availability = "enabled" | "disabled" | "not-now";

export interface JetStreamWait {
  readonly signal?: AbortSignal | undefined;
  /**
   * Called each time that it has given no answer for as long as it may take. Absent: that is an
   * error, and nothing more is waited for.
   */
  readonly onSilence?: ((error: MillraceError) => void) | undefined;
}

/** @throws MillraceError `jetstream-disabled`, `broker-unavailable`; the signal's reason */
export async function requireJetStream(
  nc: NatsConnection,
  { signal, onSilence }: JetStreamWait = {},
): Promise<void> {
  const { clock } = machineOf(nc);
  const patienceMs = nc.info?.cluster === undefined ? PATIENCE_MS : ELECTION_MS;
  for (let deadline = clock.monotonic() + patienceMs; ;) {
    signal?.throwIfAborted();
    const found = await ask(nc);
    if (found === "enabled") return;
    if (found === "disabled" && nc.info?.jetstream !== true)
      throw new MillraceError("jetstream-disabled", DISABLED);
    if (clock.monotonic() > deadline) {
      if (found === "disabled") throw new MillraceError("jetstream-disabled", DISABLED);
      const error = new MillraceError("broker-unavailable", NO_ANSWER);
      if (onSilence === undefined) throw error;
      onSilence(error);
      deadline = clock.monotonic() + patienceMs;
    }
    await sleep(clock, 50);
  }
}

async function ask(nc: NatsConnection): Promise<Availability> {
  try {
    const reply = await nc.request("$JS.API.INFO", new Uint8Array(0), { timeout: PATIENCE_MS });
    const code = reply.json<{ error?: { err_code?: number } }>().error?.err_code ?? 0;
    if (NOT_ENABLED.has(code)) return "disabled";
    return UNAVAILABLE.has(code) ? "not-now" : "enabled";
  } catch (error) {
    if (error instanceof NoRespondersError) return "disabled";
    if (error instanceof RequestError && error.isNoResponders()) return "disabled";
    // A producer whose permissions leave the API out may still publish: nothing is proved, nothing
    // is refused.
    if (isPermission(error)) return "enabled";
    return "not-now";
  }
}

function isPermission(error: unknown): boolean {
  return (
    error instanceof PermissionViolationError ||
    (error instanceof Error && error.cause instanceof PermissionViolationError)
  );
}
