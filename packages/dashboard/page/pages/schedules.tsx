import type { ReactElement } from "react";
import { Link } from "wouter";
import type { ScheduleView } from "../../src/api/views.ts";
import { Action } from "../action.tsx";
import { jobAddress } from "../addresses.ts";
import { Answer, Page } from "../answer.tsx";
import { pathOf } from "../api.ts";
import { count } from "../number.ts";
import { useSchedules } from "../questions.ts";
import { ScheduleDay } from "../schedule-day.tsx";
import { ClockTime, Moment } from "../time.tsx";

export function SchedulesPage(): ReactElement {
  const schedules = useSchedules();
  return (
    <Page title="Schedules">
      <ScheduleDay />
      <Answer of={schedules}>
        {(all) =>
          all.length === 0 ? (
            <div className="empty">
              <p>
                No schedules. A node brings those of its code along, or add one:{" "}
                <code>npx millrace cron add</code>.
              </p>
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
    </Page>
  );
}

function Schedule({ schedule }: { readonly schedule: ScheduleView }): ReactElement {
  const { name, cron, timezone, job, queue, origin, pausedAt, next, trouble, recent } = schedule;
  const { fired, skipped, late, missed, overlap } = schedule;
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
          {job} in {queue}
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
        <dd>
          missed: {missed}; overlap: {overlap}; from{" "}
          {origin === "code" ? "a node’s code" : "a client"}
        </dd>
      </dl>
      {recent.length === 0 ? null : (
        <ul className="recent" aria-label={`Last of ${name}`}>
          {recent.map(({ what, at, id, reason, count: times }) => (
            <li key={`${what}${at}`}>
              <ClockTime at={at} /> {what}
              {times === undefined ? "" : ` ${times}`} {reason}{" "}
              {id === undefined ? null : <Link href={jobAddress({ queue, id })}>{id}</Link>}
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

function ScheduleActions({ schedule }: { readonly schedule: ScheduleView }): ReactElement {
  const { name, job, queue, pausedAt } = schedule;
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
    </>
  );
}
