import {
  errorFingerprint,
  formatSeconds,
  type HistoryRecord,
  type RecordedError,
  type StoredDeadLetter,
  traceIdOf,
  unheardIn,
} from "@millrace/core";
import {
  payloadOf,
  shownCargo,
  shownError,
  shownFilter,
  shownRecord,
  shownReport,
  type ShowValue,
} from "@millrace/telemetry/masking";
import type { FleetJob, FleetLiveJob, FleetQueue } from "../fleet/fleet.ts";
import type { StepView } from "./views/step-view.ts";
import type { JobRowView } from "./views/job-list-views.ts";
import type {
  AttemptView,
  JobView,
  LetterView,
  MarkView,
  NodeView,
  OperationView,
  QueueView,
} from "./views/views.ts";
import type { DeadRowView } from "./views/dead-views.ts";

/** What is known, as a page is told. All of these mask what a producer or a handler wrote. */

export function queueView(
  status: FleetQueue,
  nodes: readonly NodeView[],
  show: ShowValue,
): QueueView {
  const { queue, queued, running, delayed, blocked, dead, oldestAgeMs, intake } = status;
  const { maxJobs, maxBytes, sendsTo, maxParked } = status;
  const serving = nodes
    .filter(({ state }) => state === "running")
    .flatMap((node) => node.queues.filter((one) => one.queue === queue));
  return {
    ...{ queue, queued, running, delayed, blocked, dead, oldestAgeMs },
    open: intake === "open",
    ...(maxJobs === undefined ? {} : { maxJobs }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(sendsTo === undefined ? {} : { sendsTo }),
    ...(maxParked === undefined ? {} : { maxParked }),
    ...(status.paused === undefined ? {} : { paused: markView(status.paused, show) }),
    ...(status.closed === undefined ? {} : { closed: markView(status.closed, show) }),
    ...unheardIn(status, nodes),
    slots: serving.reduce((sum, { slots }) => sum + slots, 0),
    nodes: serving.length,
  };
}

function markView({ since, by, reason }: MarkView, show: ShowValue): MarkView {
  return {
    since,
    ...(by === undefined ? {} : { by }),
    ...(reason === undefined ? {} : { reason: String(show(reason)) }),
  };
}

export function nodeView(node: NodeView, show: ShowValue): NodeView {
  const { name, state, desired, obeys, order, host, pid, startedAt, seenAt, silentMs } = node;
  const { version, engine, memory } = node;
  return {
    ...{ name, state, desired, obeys, host, pid, startedAt, seenAt, silentMs },
    ...(version === undefined ? {} : { version }),
    ...(engine === undefined ? {} : { engine }),
    ...(memory === undefined ? {} : { memory }),
    ...(order === undefined
      ? {}
      : {
          order: {
            at: order.at,
            by: order.by,
            ...(order.reason === undefined ? {} : { reason: String(show(order.reason)) }),
          },
        }),
    queues: node.queues.map(({ queue, state: serves, slots, used, ended, stuck, stuckBy }) => ({
      ...{ queue, state: serves, slots, used, ended },
      ...(stuck === undefined ? {} : { stuck }),
      ...(stuckBy === undefined ? {} : { stuckBy: String(show(stuckBy)) }),
    })),
  };
}

/** A gate's name holds a key, which a producer wrote. */
export function liveRow(job: FleetLiveJob, show: ShowValue): JobRowView {
  const { id, queue, name, state, attempts, notBefore, node, gate, traceId, silentMs } = job;
  const { createdAt } = job;
  const shownGate = gate === undefined ? undefined : String(show(gate));
  const why =
    silentMs === undefined ? shownGate : `its node is not heard of for ${formatSeconds(silentMs)}`;
  const at = job.startedAt ?? job.storedAt;
  return {
    ...{ id, queue, name, state, attempts },
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(at === undefined ? {} : { at }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(node === undefined ? {} : { node }),
    ...(why === undefined ? {} : { why }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

export function recordRow(record: HistoryRecord, show: ShowValue): JobRowView {
  const { id, queue, name, state, attempts, at, notBefore, durationMs, node, error, reason } =
    shownRecord(record, show);
  const { traceId, createdAt } = record;
  const why = error === undefined ? reason : `${error.type}: ${error.message}`;
  return {
    ...{ id, queue, name, state, attempts, at, node },
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(why === undefined ? {} : { why }),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

export function jobView(
  job: FleetJob,
  letter: StoredDeadLetter | undefined,
  show: ShowValue,
): JobView {
  const { id, queue, name, state, attempts, parent, history, result, error, progress } = job;
  const { steps, stepCount, follows, next, batch, closes, cargo, running } = job;
  const traceId = job.traceId ?? (letter && traceIdOf(letter.headers));
  const createdAt = history.at(-1)?.createdAt ?? job.createdAt;
  const report = progress === undefined ? undefined : shownReport(progress, show);
  return {
    ...{ id, queue, name, state, attempts },
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(running === undefined ? {} : { running }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(parent === undefined ? {} : { parent }),
    hasFamily:
      [parent, follows, next, batch, closes].some((one) => one !== undefined) ||
      history.some(({ children }) => children !== undefined),
    children: {
      count: history.reduce((sum, { children }) => sum + (children?.count ?? 0), 0),
      jobs: history.flatMap(({ children }) => children?.jobs ?? []).slice(0, 100),
    },
    history: history.map((record) => attemptView(record, show)),
    ...(result === undefined ? {} : { result: show(result) }),
    ...(error === undefined ? {} : { error: shownError(error, show) }),
    ...(report === undefined
      ? {}
      : {
          progress: {
            value: report.value,
            at: report.at,
            ...(report.note === undefined ? {} : { note: report.note }),
          },
        }),
    ...(letter === undefined ? {} : { letter: letterView(letter, show) }),
    ...(cargo === undefined ? {} : { cargo: shownCargo(cargo, show) }),
    ...(steps === undefined ? {} : { steps: steps.map((step) => stepView(step, show)) }),
    ...(stepCount === undefined ? {} : { stepCount }),
  };
}

function stepView({ name, n, state, at, until, child, result, error }: StepView, show: ShowValue) {
  return {
    ...{ name, n, state, at },
    ...(until === undefined ? {} : { until }),
    ...(child === undefined ? {} : { child }),
    ...(result === undefined ? {} : { result: show(result) }),
    ...(error === undefined ? {} : { error: shownError(error, show) }),
  };
}

function attemptView(record: HistoryRecord, show: ShowValue): AttemptView {
  const { state, outcome, attempts, node, at, startedAt, durationMs, notBefore, error, reason } =
    shownRecord(record, show);
  return {
    ...{ state, outcome, attempts, node, at },
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(record.waitedMs === undefined ? {} : { waitedMs: record.waitedMs }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(error === undefined ? {} : { error }),
    ...(record.error === undefined ? {} : { fingerprint: fingerprintOf(record.error, show) }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function fingerprintOf(error: RecordedError, show: ShowValue): string {
  return errorFingerprint(error, (text) => String(show(text))).fingerprint;
}

export function letterView(letter: StoredDeadLetter, show: ShowValue): LetterView {
  const { id, queue, name, reason, attempts, at, node, error, firstError, headers, body } = letter;
  return {
    ...{ id, queue, reason, attempts, at, node },
    ...(name === undefined ? {} : { name }),
    ...(error === undefined
      ? {}
      : { error: shownError(error, show), fingerprint: fingerprintOf(error, show) }),
    ...(firstError === undefined ? {} : { firstError: shownError(firstError, show) }),
    headers: show(headers),
    bytes: body.byteLength,
    ...payloadOf(letter, show),
  };
}

export function deadRow(letter: StoredDeadLetter, show: ShowValue): DeadRowView {
  const { id, queue, name, attempts, at, error } = letter;
  const message = error === undefined ? "" : shownError(error, show).message;
  return { id, queue, name: name ?? null, attempts, at, message };
}

export function operationView(operation: OperationView, show: ShowValue): OperationView {
  const { reason, failures, filter } = operation;
  return {
    ...operation,
    filter: shownFilter(filter, show),
    ...(reason === undefined ? {} : { reason: String(show(reason)) }),
    failures: failures.map((failure) => ({ ...failure, message: String(show(failure.message)) })),
  };
}
