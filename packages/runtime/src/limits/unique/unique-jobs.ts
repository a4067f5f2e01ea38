import { type Broker, type Clock, type Logger, UniqueClaims } from "@millrace/core";
import type { Registry } from "../../registry/registry.ts";
import { DisplacedJobs } from "./displaced-jobs.ts";
import { UniqueLimit } from "./unique-limit.ts";
import { UniqueHolds } from "./unique-holds.ts";
import { UniqueRelease } from "./unique-release.ts";
import { UniqueSweeper } from "./unique-sweeper.ts";

export interface UniqueJobs {
  readonly limit: UniqueLimit;
  readonly release: UniqueRelease;
  readonly sweeper: UniqueSweeper;
}

/** What a node does about unique keys. A node that meets no unique job does nothing. */
export function uniqueJobs(host: {
  readonly node: string;
  readonly broker: Broker;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}): UniqueJobs {
  const claims = new UniqueClaims(host.broker);
  const holds = new UniqueHolds();
  const displaced = new DisplacedJobs({ ...host, claims });
  const sweeper = new UniqueSweeper({ ...host, claims });
  return {
    limit: new UniqueLimit({
      broker: host.broker,
      claims,
      holds,
      displaced,
      clock: host.clock,
      onMet: () => sweeper.wake(),
    }),
    release: new UniqueRelease({ ...host, claims, holds, displaced }),
    sweeper,
  };
}
