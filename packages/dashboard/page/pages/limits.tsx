import type { ReactElement } from "react";
import { Link } from "wouter";
import type {
  GateHolderView,
  GateView,
  LockView,
  QueueLimitsView,
} from "../../src/api/views/limits-views.ts";
import { Action } from "../actions/action.tsx";
import { gateAddress, jobAddress } from "../words/addresses.ts";
import { gateKey, lockKey } from "../tables/alike.ts";
import { MOST_GATES } from "../../src/api/most.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { CutList } from "../tables/cut-list.tsx";
import { type DataColumn, DataTable } from "../tables/data-table.tsx";
import { count, counted } from "../words/number.ts";
import { QUEUE_COLUMN } from "../tables/queue-column.tsx";
import { useLimits } from "../questions/questions.ts";
import { rateWords, SetLimits } from "../actions/set-limits.tsx";
import { duration, Moment, QuietSince } from "../words/time.tsx";

/** What holds jobs back: who has what, and what waits because of it. */
export function LimitsPage(): ReactElement {
  const limits = useLimits();
  return (
    <Page title="Limits and locks">
      <Answer of={limits}>
        {({ queues, gates, locks, moreLocks }) => (
          <>
            <section aria-labelledby="waits">
              <h2 id="waits">What waits</h2>
              <DataTable
                label="What waits"
                columns={GATES}
                rows={gates}
                rowKey={gateKey}
                empty={
                  <p>
                    No job waits for a limit. One that would be one too many of its key, or a second
                    of a singleton, is here until it is let in.
                  </p>
                }
              />
              <CutList of={gates} most={MOST_GATES}>
                Only {count(MOST_GATES)} gates are shown: there may be more.
              </CutList>
            </section>
            <section aria-labelledby="limits">
              <h2 id="limits">Limits of queues</h2>
              <DataTable
                label="Limits"
                columns={LIMITS}
                rows={queues}
                rowKey={({ queue }) => queue}
                empty={
                  <p>
                    No queue has a limit. Set one on the page of a queue, or with{" "}
                    <code>npx millrace queues set</code>.
                  </p>
                }
              />
            </section>
            <section aria-labelledby="locks">
              <h2 id="locks">Locks</h2>
              <DataTable
                label="Locks"
                columns={LOCKS}
                rows={locks}
                rowKey={lockKey}
                empty={<p>No lock is held.</p>}
              />
              {moreLocks === 0 ? null : (
                <p className="quiet">
                  {counted(moreLocks, "lock")} more: <code>npx millrace locks list</code>.
                </p>
              )}
            </section>
          </>
        )}
      </Answer>
    </Page>
  );
}

const GATES: readonly DataColumn<GateView>[] = [
  {
    id: "jobs",
    title: "jobs",
    align: "right",
    value: ({ jobs }) => jobs,
    cell: (gate) => <Link href={gateAddress(gate)}>{count(gate.jobs)}</Link>,
  },
  QUEUE_COLUMN,
  { id: "gate", title: "wait for", value: ({ gate }) => gate },
  {
    id: "holders",
    title: "held by",
    value: ({ holders }) => holders.map(({ holder }) => holder).join(", "),
    cell: ({ gate, holders }) =>
      holders.length > 0 ? (
        <Holders of={holders} />
      ) : gate.startsWith("rate/") ? (
        "nobody: its time comes"
      ) : (
        "nobody: the next is let in"
      ),
  },
  {
    id: "next",
    title: "next",
    value: ({ next }) => next?.id ?? "",
    cell: ({ queue, next }) =>
      next === undefined ? (
        "–"
      ) : (
        <Link className="id" href={jobAddress({ queue, id: next.id })}>
          {next.id}
        </Link>
      ),
  },
  {
    id: "since",
    title: "since",
    align: "right",
    value: ({ next }) => next?.since ?? 0,
    cell: ({ next }) => (next === undefined ? "–" : <Moment at={next.since} />),
  },
];

const LIMITS: readonly DataColumn<QueueLimitsView>[] = [
  QUEUE_COLUMN,
  {
    id: "once",
    title: "at once",
    value: ({ concurrency }) => concurrency ?? 0,
    cell: ({ concurrency, holders }) => (
      <>
        {slotWords(concurrency, holders)}
        <Holders of={holders} />
      </>
    ),
  },
  {
    id: "starts",
    title: "starts",
    value: ({ rate }) => rate?.limit ?? 0,
    cell: ({ rate }) =>
      rate === undefined ? "–" : `${rateWords(rate)}, ${count(rate.available)} free now`,
  },
  {
    id: "key",
    title: "of each key",
    value: ({ keys }) => keys,
    cell: ({ perKey, keys }) => {
      const set = [
        ...(perKey?.concurrency === undefined ? [] : [`${count(perKey.concurrency)} at once`]),
        ...(perKey?.rate === undefined ? [] : [rateWords(perKey.rate)]),
        ...(keys === 0 ? [] : [`${counted(keys, "key")} at work`]),
      ];
      return set.length === 0 ? "–" : set.join(", ");
    },
  },
  {
    id: "size",
    title: "holds",
    value: ({ size }) => size?.jobs ?? 0,
    cell: ({ size }) =>
      size?.maxJobs === undefined ? "–" : `${count(size.jobs)} of ${counted(size.maxJobs, "job")}`,
  },
  {
    id: "set",
    title: "set",
    value: ({ queue }) => queue,
    cell: ({ queue }) => <SetLimits queue={queue} />,
  },
];

function slotWords(limit: number | undefined, holders: QueueLimitsView["holders"]): string {
  if (limit === undefined && holders.length === 0) return "–";
  return limit === undefined ? "as the nodes say" : count(limit);
}

/** Each on a line of its own, with how much it has, where that is counted. */
function Holders({
  of: holders,
}: {
  readonly of: readonly (GateHolderView & { readonly count?: number })[];
}): ReactElement {
  return (
    <>
      {holders.map(({ holder, count: held, since }) => (
        <span key={holder} className="holder">
          {held === undefined ? holder : `${holder}: ${count(held)}`}
          <QuietSince at={since} />
        </span>
      ))}
    </>
  );
}

const LOCKS: readonly DataColumn<LockView>[] = [
  { id: "name", title: "name", value: ({ name }) => name },
  { id: "holder", title: "holder", value: ({ holder }) => holder },
  {
    id: "since",
    title: "since",
    align: "right",
    value: ({ since }) => since ?? 0,
    cell: ({ since }) => (since === undefined ? "–" : <Moment at={since} />),
  },
  {
    id: "lease",
    title: "lease",
    align: "right",
    value: ({ leaseMs }) => leaseMs,
    cell: ({ leaseMs }) => duration(leaseMs),
  },
  {
    id: "left",
    title: "left",
    align: "right",
    value: ({ leftMs }) => leftMs,
    cell: ({ leftMs }) => duration(leftMs),
  },
  {
    id: "waiting",
    title: "wait for it",
    value: ({ waiting }) => waiting?.count ?? 0,
    cell: ({ waiting }) => <Waiters of={waiting} />,
  },
  {
    id: "release",
    title: "release",
    value: ({ name }) => name,
    cell: (lock) => <Release lock={lock} />,
  },
];

function Waiters({ of: waiting }: { readonly of: LockView["waiting"] }): ReactElement {
  if (waiting === undefined) return <>not known</>;
  const { count: all, first } = waiting;
  if (all === 0) return <>–</>;
  const more = all - first.length;
  return (
    <>
      {first.map(({ holder, since }, place) => (
        // Several may wait in one process, which is all that they say of themselves.
        <span key={`${place} ${holder}`} className="holder">
          {holder}
          <QuietSince at={since} />
        </span>
      ))}
      {more === 0 ? null : <span className="holder quiet">and {count(more)} more</span>}
    </>
  );
}

function Release({ lock: { name, holder, leaseMs } }: { readonly lock: LockView }): ReactElement {
  return (
    <Action
      label="Release"
      danger
      question={`Take the lock ${name} from ${holder}?`}
      path="locks/release"
      body={{ name, holder }}
      done={({ count: released }) =>
        released === 1 ? `${name} is free.` : `${name} was not released.`
      }
    >
      <p>
        For a holder that is gone for good. If it lives, it goes on until its next renewal, within{" "}
        {duration(leaseMs / 3)}, while another may get the lock: only what compares tokens is safe
        then.
      </p>
    </Action>
  );
}
