import { MillraceError } from "@millrace/core";
import type { FleetJob } from "../fleet/fleet.ts";
import type { FamilyMemberView, FamilyView } from "./family-views.ts";
import type { Reading } from "./reads.ts";
import type { RefView } from "./views.ts";

/** Each is some reads of the server. */
const MOST = 40;
const AT_ONCE = 8;

const keyOf = ({ queue, id }: RefView): string => `${queue}/${id}`;

/**
 * The job, the line of jobs that enqueued it, and what all of them enqueued, the nearest first: as
 * far as the history says so.
 */
export async function family({ fleet }: Pick<Reading, "fleet">, of: RefView): Promise<FamilyView> {
  const members = new Map<string, FamilyMemberView>();
  const links = new Map<string, { readonly from: string; readonly to: string }>();
  const asked = new Set([keyOf(of)]);
  let waiting: readonly RefView[] = [of];
  while (waiting.length > 0 && members.size < MOST) {
    const now = waiting.slice(0, Math.min(AT_ONCE, MOST - members.size));
    const next = [...waiting.slice(now.length)];
    const meet = (ref: RefView): void => {
      if (asked.has(keyOf(ref))) return;
      asked.add(keyOf(ref));
      next.push(ref);
    };
    for (const [ref, job] of await Promise.all(now.map((one) => known(fleet.jobs, one)))) {
      const { id, queue } = ref;
      const key = keyOf(ref);
      members.set(key, {
        ...{ key, queue, id },
        ...(job === undefined ? {} : { name: job.name, state: job.state }),
      });
      const link = (from: string, to: string): void =>
        void links.set(`${from} ${to}`, { from, to });
      if (job?.parent !== undefined) {
        link(keyOf(job.parent), key);
        meet(job.parent);
      }
      for (const child of job?.history.flatMap(({ children }) => children?.jobs ?? []) ?? []) {
        link(key, keyOf(child));
        meet(child);
      }
    }
    waiting = next;
  }
  return {
    members: [...members.values()],
    links: [...links.values()].filter(({ from, to }) => members.has(from) && members.has(to)),
    more: waiting.length > 0,
  };
}

async function known(
  jobs: Pick<Reading["fleet"]["jobs"], "get">,
  ref: RefView,
): Promise<readonly [RefView, FleetJob | undefined]> {
  try {
    return [ref, await jobs.get(ref.id, { queue: ref.queue })];
  } catch (error) {
    // The history has forgotten it, or its queue is gone.
    if (MillraceError.is(error, "job-not-found") || MillraceError.is(error, "queue-not-found"))
      return [ref, undefined];
    throw error;
  }
}
