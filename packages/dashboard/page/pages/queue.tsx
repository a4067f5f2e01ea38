import type { ReactElement } from "react";
import { Link } from "wouter";
import type { GateView, LimitsView } from "../../src/api/views/limits-views.ts";
import type { MarkView, QueueDetailView, QueueView } from "../../src/api/views/views.ts";
import { Action } from "../actions/action.tsx";
import { Draining, leftIn } from "../words/draining.tsx";
import {
  deadAddress,
  gateAddress,
  jobsAddress,
  ofNode,
  oldestAddress,
} from "../words/addresses.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { pathOf } from "../words/paths.ts";
import { count, counted } from "../words/number.ts";
import { CutList } from "../tables/cut-list.tsx";
import { MOST_GATES_OF_QUEUE } from "../../src/api/most.ts";
import { Plots, useRange } from "../plots/plots.tsx";
import { PurgeQueue } from "../actions/purge-queue.tsx";
import { useQueue } from "../questions/questions.ts";
import { rateWords, SetLimits } from "../actions/set-limits.tsx";
import { duration, Moment, QuietSince } from "../words/time.tsx";
import { Unheard, unheardWords } from "../words/unheard.tsx";

export function QueuePage({ queue }: { readonly queue: string }): ReactElement {
  const detail = useQueue(queue);
  return (
    <Page
      title={`Queue ${queue}`}
      actions={detail.data === undefined ? undefined : <QueueActions detail={detail.data} />}
    >
      <Answer of={detail}>{(view) => <Queue detail={view} />}</Answer>
    </Page>
  );
}

/** All of them, always: none moves under a pointer because somebody else did something. */
function QueueActions({ detail }: { readonly detail: QueueDetailView }): ReactElement {
  const { queue, queued, delayed, paused, open } = detail.queue;
  const isActive = paused === undefined && open;
  const to = (action: string): string => pathOf("queues", queue, action);
  return (
    <>
      <Action
        label="Pause"
        question={`Pause the queue ${queue}?`}
        path={to("pause")}
        isOff={paused !== undefined}
        asksWhy
        done={() => `${queue} is paused.`}
      >
        <p>
          No node takes jobs from it any more, until it is resumed. What runs goes on. Producers may
          still enqueue.
        </p>
      </Action>
      <Action
        label="Resume"
        question={`Resume the queue ${queue}?`}
        path={to("resume")}
        isOff={isActive}
        done={() => `${queue} is active.`}
      >
        <p>
          Nodes take jobs from it again, and producers may enqueue. {counted(queued, "job")}{" "}
          {queued === 1 ? "waits" : "wait"}.
        </p>
      </Action>
      <Action
        label="Drain"
        question={`Drain the queue ${queue}?`}
        path={to("drain")}
        isOff={!isActive}
        asksWhy
        done={({ count: left }) =>
          left === 0
            ? `${queue} is closed to producers, and nothing is left in it.`
            : `${queue} is closed to producers, with ${counted(left, "job")} left.`
        }
      >
        <p>
          It is closed to producers: who enqueues is refused, until it is resumed. Nodes run the{" "}
          {counted(leftIn(detail.queue), "job")} in it, and this page shows how much is left.{" "}
          {delayed === 0 ? "" : `${counted(delayed, "delayed job")} wait for their time. `}
          Resume takes it back.
        </p>
      </Action>
      <SetLimits queue={queue} />
      <PurgeQueue queue={detail.queue} />
    </>
  );
}

function Queue({
  detail: { queue, limits, gates },
}: {
  readonly detail: QueueDetailView;
}): ReactElement {
  const chosen = useRange();
  const list = (state: string): string => jobsAddress({ state, queue: queue.queue });
  return (
    <>
      <Unheard queue={queue} />
      <Mark what="Paused" mark={queue.paused} />
      {queue.open ? null : (
        <>
          <Mark what={closedWords(queue)} mark={queue.closed ?? { since: 0 }} />
          <Draining key={queue.closed?.since} queue={queue} />
        </>
      )}
      <dl className="tiles">
        <Tile name="queued" value={queue.queued} href={list("queued")} />
        <Tile
          name="running"
          value={queue.running}
          href={list("running")}
          besides={unheardWords(queue)}
        />
        <Tile name="delayed" value={queue.delayed} href={list("delayed")} />
        <Tile name="blocked" value={queue.blocked} href={list("blocked")} />
        <Tile name="dead" value={queue.dead} href={deadAddress(queue.queue)} />
      </dl>
      <dl className="facts steady">
        <dt>Oldest job</dt>
        <dd>
          {queue.oldestAgeMs === 0 ? (
            "none"
          ) : (
            <Link href={oldestAddress(queue.queue)}>{duration(queue.oldestAgeMs)} old</Link>
          )}
        </dd>
        <dt>Served by</dt>
        <dd>
          {queue.nodes === 0 ? (
            "no node: nothing runs until one with jobs of this queue starts"
          ) : (
            <Link href="/nodes">
              {counted(queue.nodes, "node")} with {counted(queue.slots, "slot")}
            </Link>
          )}
        </dd>
        <BlockedBy gates={gates} />
        <Takes queue={queue} />
        {limits === undefined ? null : <Limits queue={queue.queue} limits={limits} />}
      </dl>
      <Plots queue={queue.queue} chosen={chosen} />
      <p>
        <Link href={jobsAddress({ queue: queue.queue })}>What was settled last in this queue</Link>
      </p>
    </>
  );
}

/** By which limits jobs are held back, and who has what they wait for. */
function BlockedBy({ gates }: { readonly gates: readonly GateView[] }): ReactElement | null {
  if (gates.length === 0) return null;
  return (
    <>
      <dt>Blocked by</dt>
      <dd>
        {gates.map((gate) => (
          <span key={gate.gate} className="gate">
            <Link href={gateAddress(gate)}>
              {gate.gate} <span className="times">{counted(gate.jobs, "job")}</span>
            </Link>
            {gate.holders.length === 0 ? null : (
              <span className="quiet">
                {" "}
                <Link href="/limits">held by</Link>{" "}
                {gate.holders.map(({ holder }) => holder).join(", ")}
              </span>
            )}
          </span>
        ))}
        <CutList of={gates} most={MOST_GATES_OF_QUEUE}>
          There may be more than these {count(MOST_GATES_OF_QUEUE)}, at which the most wait.
        </CutList>
      </dd>
    </>
  );
}

/** What it takes of its producers, and where that may go on. */
function Takes({ queue }: { readonly queue: QueueView }): ReactElement {
  const { maxJobs, maxBytes, maxParked, sendsTo = [] } = queue;
  const most = [
    ...(maxJobs === undefined ? [] : [counted(maxJobs, "job")]),
    ...(maxBytes === undefined ? [] : [counted(maxBytes, "byte")]),
    ...(maxParked === undefined ? [] : [`${count(maxParked)} parked`]),
  ];
  return (
    <>
      {most.length === 0 ? null : (
        <>
          <dt>Takes up to</dt>
          <dd>{most.join(", ")}</dd>
        </>
      )}
      {sendsTo.length === 0 ? null : (
        <>
          <dt>Sends on to</dt>
          <dd>{sendsTo.join(", ")}</dd>
        </>
      )}
    </>
  );
}

function closedWords(queue: QueueView): string {
  return leftIn(queue) === 0 ? "Drained and closed to producers" : "Closed to producers";
}

function Limits({
  queue,
  limits,
}: {
  readonly queue: string;
  readonly limits: LimitsView;
}): ReactElement {
  const { concurrency, rate, perKey, holders } = limits;
  return (
    <>
      {concurrency === undefined ? null : (
        <>
          <dt>Jobs at once</dt>
          <dd>{count(concurrency)} over all nodes</dd>
        </>
      )}
      {holders.length === 0 ? null : (
        <>
          <dt>Slots held by</dt>
          <dd>
            {holders.map(({ holder, count: held, since }) => (
              <span key={holder} className="item">
                <Link href={jobsAddress({ state: "running", queue, filter: ofNode(holder) })}>
                  {holder} <span className="times">{counted(held, "slot")}</span>
                </Link>
                <QuietSince at={since} />
              </span>
            ))}
          </dd>
        </>
      )}
      {rate === undefined ? null : (
        <>
          <dt>Starts</dt>
          <dd>
            {rateWords(rate)}, {count(rate.available)} free now
          </dd>
        </>
      )}
      {perKey?.concurrency === undefined ? null : (
        <>
          <dt>Jobs of one key at once</dt>
          <dd>{count(perKey.concurrency)}</dd>
        </>
      )}
      {perKey?.rate === undefined ? null : (
        <>
          <dt>Starts of one key</dt>
          <dd>{rateWords(perKey.rate)}</dd>
        </>
      )}
    </>
  );
}

function Mark({
  what,
  mark,
}: {
  readonly what: string;
  readonly mark: MarkView | undefined;
}): ReactElement | null {
  if (mark === undefined) return null;
  const { since, by, reason } = mark;
  return (
    <p className="notice warning">
      {what}
      {since === 0 ? null : (
        <>
          {" "}
          <Moment at={since} />
        </>
      )}
      {by === undefined ? "" : ` by ${by}`}
      {reason === undefined ? "." : `: ${reason}`}
    </p>
  );
}

function Tile({
  name,
  value,
  href,
  besides,
}: {
  readonly name: string;
  readonly value: number;
  readonly href: string;
  readonly besides?: string | undefined;
}): ReactElement {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <Link href={href}>{count(value)}</Link>
        {besides === undefined ? null : <span className="critical besides">{besides}</span>}
      </dd>
    </div>
  );
}
