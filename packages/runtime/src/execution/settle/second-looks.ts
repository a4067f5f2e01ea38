import { type Broker, type Clock, type Logger, recordError, SecondLooks } from "@millrace/core";

/** Second looks of what follows a settlement. */
export function secondLooks(host: {
  readonly broker: Pick<Broker, "solitary">;
  readonly clock: Clock;
  readonly log: Logger;
}): SecondLooks {
  return new SecondLooks({
    ...host,
    onFailed: (error, { key, isLast }) =>
      host.log.warn(
        { what: key, error: recordError(error) },
        isLast ? "a second look has failed" : "a second look has failed; trying again",
      ),
  });
}
