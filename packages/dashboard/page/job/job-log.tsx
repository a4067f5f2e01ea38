import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import type { JobLogView, LogLineView, LogRunView } from "../../src/api/views/log-views.ts";
import { Answer } from "../questions/answer.tsx";
import { count, counted } from "../words/number.ts";
import { ClockTime } from "../words/time.tsx";

/** What the handlers of each attempt logged, the newest attempt open. */
export function JobLog({ of: log }: { readonly of: UseQueryResult<JobLogView> }): ReactElement {
  return (
    <section aria-labelledby="log">
      <h2 id="log">Log</h2>
      <Answer of={log}>
        {({ runs, earlier }) => (
          <>
            {earlier === 0 ? null : (
              <p className="quiet">
                {count(earlier)} earlier lines are not shown: <code>millrace jobs logs</code> shows
                them.
              </p>
            )}
            {runs.length === 0 ? <NoLines /> : null}
            {runs.map((run, index) => (
              <Run
                key={`${run.token} ${run.node}`}
                run={run}
                isNewest={index === runs.length - 1}
              />
            ))}
          </>
        )}
      </Answer>
    </section>
  );
}

function NoLines(): ReactElement {
  return (
    <p className="quiet">
      No lines are kept. Nodes that are started with <code>--job-logs info</code> keep what handlers
      log.
    </p>
  );
}

function Run({
  run: { attempt, node, earlier, lines },
  isNewest,
}: {
  readonly run: LogRunView;
  readonly isNewest: boolean;
}): ReactElement {
  // The next attempt does not shut what is being read.
  const [isOpen] = useState(isNewest);
  const label = `Log of attempt ${attempt} on ${node}`;
  return (
    <details open={isOpen}>
      <summary>
        Attempt {attempt} on {node}: {counted(lines.length, "line")}
      </summary>
      <div className="log" tabIndex={0} role="region" aria-label={label}>
        <ol>
          {lines.map((line, index) => (
            // Lines are added behind those that are there, and the first may leave.
            <Line key={earlier + index} line={line} />
          ))}
        </ol>
      </div>
    </details>
  );
}

function Line({ line: { at, level, message, fields } }: { readonly line: LogLineView }) {
  return (
    <li>
      <ClockTime at={at} /> <span className={`level ${level}`}>{level}</span>{" "}
      <span className="said">{message}</span>
      {fields === undefined ? null : <span className="quiet"> {JSON.stringify(fields)}</span>}
    </li>
  );
}
