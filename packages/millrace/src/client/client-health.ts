import { type Broker, type BrokerStatus, type Clock, recordError } from "@millrace/core";
import { type CallLimits, limited } from "./call-limits.ts";

/** A producer's health, for its own health check. */
export interface ClientHealth {
  /** Whether the server answered just now. */
  readonly ready: boolean;
  readonly status: BrokerStatus;
  /** `nats 2.15.2` */
  readonly server: string;
  /** The round trip; absent where there was none. */
  readonly pingMs?: number;
  /** Why it is not ready, in words. */
  readonly problem?: string;
}

const USUAL_TIMEOUT = "2s";

/** Asks the server, for a moment only. Whatever is wrong is told and not thrown. */
export async function clientHealth(
  broker: Broker,
  clock: Clock,
  { timeout = USUAL_TIMEOUT, ...limits }: CallLimits,
): Promise<ClientHealth> {
  const { status, description: server, refusal } = broker;
  if (status !== "connected")
    return {
      ready: false,
      status,
      server,
      problem:
        status === "closed"
          ? "the connection was closed"
          : (refusal?.message ?? "there is no connection to the server; connecting again"),
    };
  try {
    const call = { doing: "health()", code: "request-timeout" } as const;
    const pingMs = await limited({ broker, clock }, { ...limits, timeout }, call, () =>
      broker.ping(),
    );
    return { ready: true, status, server, pingMs };
  } catch (error) {
    return { ready: false, status: broker.status, server, problem: recordError(error).message };
  }
}
