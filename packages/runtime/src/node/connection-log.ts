import type { BrokerStatus, Clock, Logger } from "@millrace/core";

/**
 * The lines of a node's log about its connection.
 *
 * @returns what is to be told of each change
 */
export function connectionLog(
  log: Logger,
  clock: Pick<Clock, "monotonic">,
): (status: BrokerStatus) => void {
  let lostMono: number | undefined;
  return (status) => {
    if (status === "disconnected" && lostMono === undefined) {
      lostMono = clock.monotonic();
      log.warn({}, "the connection to the broker is lost; connecting again");
    } else if (status === "connected" && lostMono !== undefined) {
      log.info(
        { awayMs: Math.round(clock.monotonic() - lostMono) },
        "the connection to the broker is back",
      );
      lostMono = undefined;
    }
  };
}
