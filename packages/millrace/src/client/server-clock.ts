import { type Broker, type Clock, DisciplinedClock } from "@millrace/core";

/**
 * A client's clock that goes on from the server's time now. For what is stored in jobs: a client's
 * machine may be wrong by any time, and nodes compare it with the server's.
 */
export async function serverClock(broker: Pick<Broker, "serverNow">, own: Clock): Promise<Clock> {
  const clock = new DisciplinedClock(own);
  await clock.ask(() => broker.serverNow());
  return clock;
}
