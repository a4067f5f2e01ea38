import { type ReactElement, useState } from "react";
import { Link } from "wouter";
import type { AttemptView, JobView } from "../../src/api/views/views.ts";
import { causeAddress } from "../words/addresses.ts";
import { stretchesOf } from "./stretches.ts";
import { ClockTime, duration } from "../words/time.tsx";

/** Of the whole, in percent: what took no time is seen all the same. */
const THINNEST = 0.5;

/** What the job did with its time: waiting, each attempt, delays, one row each. */
export function Waterfall({
  job,
  now,
}: {
  readonly job: JobView;
  readonly now: number;
}): ReactElement {
  const stretches = stretchesOf(job, now);
  const [first] = stretches;
  const last = stretches.at(-1);
  if (first === undefined || last === undefined)
    return (
      <p className="quiet">
        {job.letter === undefined
          ? "Nothing has been settled yet. The first row is drawn when the first attempt ends."
          : "The history has nothing of it any more: it keeps seven days by default. What is left is its dead letter, until somebody retries or discards it."}
      </p>
    );
  const whole = Math.max(1, last.to - first.from);
  return (
    <ol className="waterfall" aria-label="What happened, in order">
      {stretches.map((stretch) => {
        const { kind, from, to, words, node } = stretch;
        return (
          <li key={`${kind}${from}${to}`}>
            <span className="what">
              {words}
              {node === undefined ? null : <span className="quiet"> on {node}</span>}
            </span>
            <span className="track" aria-hidden="true">
              <span
                className={`bar ${kind}`}
                style={{
                  left: `${Math.min(100 - THINNEST, ((from - first.from) / whole) * 100)}%`,
                  width: `${Math.max(THINNEST, ((to - from) / whole) * 100)}%`,
                }}
              />
            </span>
            <span className="took">
              <ClockTime at={from} /> <span>{duration(Math.max(0, to - from))}</span>
            </span>
          </li>
        );
      })}
    </ol>
  );
}

/** Why an attempt failed. */
interface Failed extends Pick<AttemptView, "attempts" | "error" | "fingerprint"> {
  readonly at?: number;
}

/** Each attempt's error, the newest first. */
export function Errors({ job }: { readonly job: JobView }): ReactElement | null {
  const failed = failuresOf(job);
  if (failed.length === 0) return null;
  return (
    <section aria-labelledby="errors">
      <h2 id="errors">Errors</h2>
      {failed.map((attempt, index) => (
        <Failure
          key={`${attempt.attempts}${attempt.at}`}
          job={job}
          attempt={attempt}
          isNewest={index === 0}
        />
      ))}
    </section>
  );
}

/** The letter keeps the last one and the first for longer than the history does. */
function failuresOf({ history, letter }: JobView): readonly Failed[] {
  const failed = history.filter(({ error }) => error !== undefined).toReversed();
  if (failed.length > 0 || letter?.error === undefined) return failed;
  const { attempts, at, error, fingerprint, firstError } = letter;
  return [
    { attempts, at, error, ...(fingerprint === undefined ? {} : { fingerprint }) },
    ...(firstError === undefined ? [] : [{ attempts: 1, error: firstError }]),
  ];
}

function Failure({
  job: { queue, name },
  attempt: { attempts, at, error, fingerprint },
  isNewest,
}: {
  readonly job: Pick<JobView, "queue" | "name">;
  readonly attempt: Failed;
  readonly isNewest: boolean;
}): ReactElement {
  // The next that fails does not shut what is being read.
  const [isOpen] = useState(isNewest);
  return (
    <details open={isOpen}>
      <summary>
        {attempts === 0 ? "Before an attempt" : `Attempt ${attempts}`}
        {at === undefined ? null : (
          <>
            , <ClockTime at={at} />
          </>
        )}
        : <strong>{error?.type}</strong> {error?.message}
      </summary>
      {fingerprint === undefined ? null : (
        <p>
          <Link
            href={causeAddress({
              ...{ queue, name, error: error?.type ?? null, reason: null, fingerprint },
            })}
          >
            All that failed of this
          </Link>
        </p>
      )}
      {error?.fields === undefined ? null : (
        <pre tabIndex={0} role="region" aria-label={`Fields of the error of attempt ${attempts}`}>
          {JSON.stringify(error.fields, null, 2)}
        </pre>
      )}
      {error?.stack === undefined ? null : (
        <pre tabIndex={0} role="region" aria-label={`Stack of attempt ${attempts}`}>
          {error.stack}
        </pre>
      )}
    </details>
  );
}
