import type { FailureGroup } from "@millrace/core";
import { shownRecord, shownTags, type ShowValue } from "@millrace/telemetry/masking";
import type { KnownValues } from "../filter/complete-filter.ts";
import { filterTest } from "../filter/filter-test.ts";
import { readFilter } from "../filter/read-filter.ts";
import { CAUSE_FIELDS } from "./cause-row.ts";
import type { AskedFailures } from "./failures-query.ts";
import type { AskedIndex, IndexCalls, IndexSearch } from "./index-calls.ts";
import { type IndexedJob, INDEX_FIELDS } from "./indexed-job.ts";

const MOST = 10_000;
const MORE = 10;

type Found = ReturnType<IndexCalls["search"]>;

/**
 * What is asked of an index that a mask made which may have known fewer secrets: nobody can tell
 * two functions apart. What is found is masked again, and has to fit then.
 *
 * @param show undefined: it is the same mask
 */
export class MaskedIndex {
  readonly #index: AskedIndex;
  readonly #show: ShowValue | undefined;

  constructor(index: AskedIndex, show: ShowValue | undefined) {
    this.#index = index;
    this.#show = show;
  }

  async search(asked: IndexSearch): Promise<Found> {
    const show = this.#show;
    if (show === undefined) return this.#index.ask("search", asked);
    const { filter, limit, now } = asked;
    for (let most = limit; ; most = Math.min(MOST, most * MORE)) {
      const { jobs, more } = await this.#index.ask("search", { ...asked, limit: most });
      const fits =
        filter === undefined ? () => true : filterTest(readFilter(filter), now, INDEX_FIELDS);
      const fitting = jobs.map((job) => shownJob(job, show)).filter(fits);
      if (fitting.length > limit) return { jobs: fitting.slice(0, limit), more: true };
      // Whether more would have fitted tells of a secret as well.
      const isAll = fitting.length === jobs.length;
      if (isAll || !more || most === MOST) return { jobs: fitting, more: isAll && more };
    }
  }

  async failures(asked: AskedFailures): Promise<readonly FailureGroup[]> {
    const groups = await this.#index.ask("failures", asked);
    const show = this.#show;
    if (show === undefined) return groups;
    const { where, now } = asked;
    const fits =
      where === undefined ? () => true : filterTest(readFilter(where), now, CAUSE_FIELDS);
    return groups
      .map((group) => shownGroup(group, show))
      .filter((group) => {
        const nodes = (): readonly string[] => group.nodes.map(({ node }) => node);
        return fits({ ...group, last_at: group.lastAt, nodes });
      });
  }

  async known(): Promise<KnownValues> {
    const known = await this.#index.ask("known", {});
    const show = this.#show;
    if (show === undefined) return known;
    return { ...known, tag: shownTags(known["tag"] ?? [], show) };
  }
}

function shownJob(job: IndexedJob, show: ShowValue): IndexedJob {
  const { tags, payload } = job;
  return {
    ...shownRecord(job, show),
    ...(tags === undefined ? {} : { tags: shownTags(tags, show) }),
    ...(payload === undefined ? {} : { payload: show(payload) }),
  };
}

function shownGroup(group: FailureGroup, show: ShowValue): FailureGroup {
  const { pattern, frame, message } = group;
  return {
    ...group,
    pattern: String(show(pattern)),
    message: String(show(message)),
    ...(frame === undefined ? {} : { frame: String(show(frame)) }),
  };
}
