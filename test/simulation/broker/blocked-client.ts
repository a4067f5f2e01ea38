import {
  type BlockedGate,
  type BlockedJob,
  type BlockedQuery,
  type BlockedStore,
  isMeant,
  type MeantRelease,
  messageIdOf,
  type ReleaseOptions,
} from "@millrace/core";
import { withinBytes } from "../../../packages/testkit/src/memory/stores/within-bytes.ts";
import { type BlockedMessage, blockedJob } from "../server/sim-blocked.ts";
import type { Line } from "./line.ts";

const DEFAULT_LIMIT = 100;
const PUBLISH_MS = 30_000;

/**
 * The jobs that wait at gates: each is published, confirmed, and only then removed, as on a server.
 */
export class BlockedClient implements BlockedStore {
  readonly #line: Line;

  constructor(line: Line) {
    this.#line = line;
  }

  async release(
    queue: string,
    gate: string,
    count: number,
    { permits = [] }: ReleaseOptions = {},
  ): Promise<number> {
    const { blocked } = this.#line.server;
    const oldest = await this.#line.call({
      point: `oldest ${gate}`,
      act: () => blocked.list(queue, gate).slice(0, count),
    });
    let moved = 0;
    for (const [index, job] of oldest.entries())
      if (await this.#move(job, permits[index])) moved += 1;
    return moved;
  }

  async releaseJob(
    queue: string,
    id: string,
    { sequence, ...meant }: MeantRelease = {},
  ): Promise<boolean> {
    const { blocked } = this.#line.server;
    const found = await this.#line.call({
      point: `find blocked ${id}`,
      act: () =>
        blocked.list(queue).find((job) => {
          if (sequence !== undefined && sequence !== job.sequence) return false;
          const envelope = blockedJob(job)?.envelope;
          return envelope?.id === id && isMeant(meant, envelope);
        }),
    });
    return found !== undefined && (await this.#move(found, undefined));
  }

  gates(queue?: string): Promise<readonly BlockedGate[]> {
    const { blocked } = this.#line.server;
    return this.#line.call({
      point: "gates",
      act: () => {
        const gates = new Map<string, BlockedGate>();
        for (const job of blocked.list(queue)) {
          const key = JSON.stringify([job.queue, job.gate]);
          const count = (gates.get(key)?.count ?? 0) + 1;
          gates.set(key, { queue: job.queue, gate: job.gate, count });
        }
        return [...gates.values()];
      },
    });
  }

  list(query: BlockedQuery = {}): Promise<readonly BlockedJob[]> {
    const { queue, gate, limit = DEFAULT_LIMIT, after = 0, until = Infinity, bytes } = query;
    const { blocked } = this.#line.server;
    return this.#line.call({
      point: "list blocked",
      act: () => {
        const part = blocked
          .list(queue, gate)
          .filter(({ sequence }) => sequence > after && sequence <= until);
        const page = withinBytes(
          part.slice(0, limit),
          bytes,
          ({ publication }) => publication.body,
        );
        return page.flatMap((job) => blockedJob(job) ?? []);
      },
    });
  }

  count(queue?: string): Promise<number> {
    return this.#line.call({
      point: "count blocked",
      act: () => this.#line.server.blocked.list(queue).length,
    });
  }

  newest(): Promise<number> {
    return this.#line.call({
      point: "newest blocked",
      act: () => this.#line.server.blocked.newest,
    });
  }

  purge(queue: string, gate?: string): Promise<number> {
    const { blocked } = this.#line.server;
    return this.#line.call({
      point: `purge blocked ${queue}`,
      act: () =>
        blocked.list(queue, gate).filter(({ sequence }) => blocked.remove(sequence)).length,
    });
  }

  async #move(job: BlockedMessage, permit: string | undefined): Promise<boolean> {
    const { server } = this.#line;
    const { queue, gate, publication, sequence, storedAt } = job;
    const envelope = blockedJob(job)?.envelope;
    const name = envelope === undefined ? sequence : messageIdOf(envelope);
    const headers: Record<string, string> = {
      ...publication.headers,
      "millrace-gate": gate,
      "millrace-blocked-at": String(storedAt),
    };
    if (permit !== undefined) headers["millrace-permit"] = permit;
    let arrived = 0;
    const { duplicate } = await this.#line.call({
      point: `wake ${name}`,
      timeoutMs: PUBLISH_MS,
      code: "publish-timeout",
      act: () => {
        arrived += 1;
        return server.queue(queue).publish({ ...publication, headers });
      },
    });
    await this.#line.call({
      point: `unhold ${name}`,
      act: () => void server.blocked.remove(sequence),
    });
    // As the real broker: of one that was sent again the first copy may be the one that is there,
    // and then the permit is in it.
    return !duplicate || arrived > 1;
  }
}
