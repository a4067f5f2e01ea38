import type { ReactElement } from "react";
import { Link } from "wouter";
import type { ScheduleView } from "../../src/api/views/views.ts";
import { Action } from "../actions/action.tsx";
import { AddSchedule } from "../actions/add-schedule.tsx";
import { jobAddress, queueAddress } from "../words/addresses.ts";
import { After, Answer, Page } from "../questions/answer.tsx";
import { pathOf } from "../words/paths.ts";
import { ChangeSchedule } from "../actions/change-schedule.tsx";
import { count } from "../words/number.ts";
import { useScheduleDay, useSchedules } from "../questions/questions.ts";
import { ScheduleDay } from "../plots/schedule-day.tsx";
import { ClockTime, duration, Moment } from "../words/time.tsx";

export function SchedulesPage(): ReactElement {
  const schedules = useSchedules();
  const day = useScheduleDay();
  return (
    <Page title="Schedules" actions={<AddSchedule />}>
      <ScheduleDay day={day.data} />
      <After of={day}>
        <Answer of={schedules}>
          {(all) =>
            all.length === 0 ? (
              <div className="empty">
                <p>
                  No schedules yet. A node brings those of its code along (
                  <code>defineSchedule</code>
                  ), or add one, for each night at three:
                </p>
                <pre>npx millrace cron add nightly &#39;0 3 * * *&#39; report --queue reports</pre>
              </div>
            ) : (
              <ul className="cards">
                {all.map((schedule) => (
                  <li key={schedule.name}>
                    <Schedule schedule={schedule} />
                  </li>
                ))}
              </ul>
            )
          }
        </Answer>
      </After>
    </Page>
  );
}

function Schedule({ schedule }: { readonly schedule: ScheduleView }): ReactElement {
  const { name, cron, timezone, job, queue, pausedAt, next, trouble, recent } = schedule;
  const { fired, skipped, late } = schedule;
  return (
    <article aria-label={name}>
      <div className="head">
        <h2>{name}</h2>
        <div className="actions">
          <ScheduleActions schedule={schedule} />
        </div>
      </div>
      {trouble === undefined ? null : <p className="notice warning">{trouble}</p>}
      <dl className="facts">
        <dt>When</dt>
        <dd>
          <code>{cron}</code> {timezone}
        </dd>
        <dt>Enqueues</dt>
        <dd>
          {job} in <Link href={queueAddress(queue)}>{queue}</Link>
        </dd>
        <dt>Next</dt>
        <dd>
          {pausedAt === undefined
            ? next.map((at) => (
                <span key={at} className="item">
                  <Moment at={at} />{" "}
                </span>
              ))
            : "paused"}
        </dd>
        <dt>So far</dt>
        <dd>
          {count(fired)} fired, {count(skipped)} skipped, {count(late)} late
        </dd>
        <dt>Rules</dt>
        <dd>{ruleWords(schedule)}</dd>
        <dt>Comes from</dt>
        <dd>
          <Origin schedule={schedule} />
        </dd>
      </dl>
      {recent.length === 0 ? null : (
        <ul className="recent" aria-label={`Last of ${name}`}>
          {recent.map(({ what, at, id, lateMs, reason, count: times }) => (
            <li key={`${what}${at}`}>
              <ClockTime at={at} /> {what}
              {lateMs === undefined ? "" : ` ${duration(lateMs)} late`}
              {times === undefined ? "" : ` ${times}`} {reason}{" "}
              {id === undefined ? null : <Link href={jobAddress({ queue, id })}>{id}</Link>}
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

function ruleWords({ missed, overlap, jitterMs }: ScheduleView): string {
  const [, all] = /^all:(\d+)$/.exec(missed) ?? [];
  return [
    all === undefined ? MISSED[missed] : `of what was missed, the last ${all} run`,
    OVERLAP[overlap],
    ...(jitterMs === 0 ? [] : [`delayed by up to ${duration(jitterMs)}`]),
  ].join("; ");
}

const MISSED: Readonly<Record<string, string>> = {
  once: "of what was missed, the last runs",
  skip: "what was missed is left out",
};
const OVERLAP: Readonly<Record<string, string>> = {
  allow: "runs beside the job before",
  skip: "left out while the job before has not ended",
  queue: "waits for the end of the job before",
  cancel: "cancels the job before",
};

/** Where it is from, and who has the last word on it. */
function Origin({ schedule: { origin, seen } }: { readonly schedule: ScheduleView }): ReactElement {
  if (origin !== "code") return <>a client, so it can be changed here</>;
  return (
    <>
      a node’s code
      {seen === undefined ? null : (
        <>
          , seen on {seen.node} <Moment at={seen.at} />
        </>
      )}
      . What the code says wins: nodes write it when they start, so change it there. A pause holds.
    </>
  );
}

function ScheduleActions({ schedule }: { readonly schedule: ScheduleView }): ReactElement {
  const { name, job, queue, origin, pausedAt } = schedule;
  const to = (action: string): string => pathOf("schedules", name, action);
  return (
    <>
      <Action
        label="Run now"
        question={`Enqueue the job of ${name} now?`}
        path={to("run")}
        done={({ job: made }) => `Enqueued ${made?.id ?? job}.`}
      >
        <p>
          One {job} is enqueued in {queue}, beside its times.
        </p>
      </Action>
      {pausedAt === undefined ? (
        <Action
          label="Pause"
          question={`Pause the schedule ${name}?`}
          path={to("pause")}
          done={() => `${name} is paused.`}
        >
          <p>Nothing is enqueued at its times until it is resumed. Nothing is made up for then.</p>
        </Action>
      ) : (
        <Action
          label="Resume"
          question={`Resume the schedule ${name}?`}
          path={to("resume")}
          done={() => `${name} is active.`}
        >
          <p>It goes on from its next time.</p>
        </Action>
      )}
      {origin === "code" ? null : <ChangeSchedule schedule={schedule} />}
      <Action
        label="Remove"
        danger
        question={`Remove the schedule ${name}?`}
        path={to("remove")}
        done={() => `${name} is removed.`}
      >
        <p>
          This one schedule and its state are gone: nothing is enqueued at its times any more. Jobs
          that are enqueued already still run.{" "}
          {origin === "code"
            ? "A node that has it in its code stores it anew when it starts."
            : "To undo it, add it again with what its card says now."}
        </p>
      </Action>
    </>
  );
}
