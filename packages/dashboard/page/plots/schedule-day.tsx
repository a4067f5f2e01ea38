import type { ReactElement } from "react";
import type { ScheduleDayView } from "../../src/api/views/schedule-day-views.ts";
import { counted } from "../words/number.ts";
import { duration, hourOf } from "../words/time.tsx";

type Line = ScheduleDayView["lines"][number];

const HOUR_MS = 3_600_000;
const MARK_EVERY_MS = 4 * HOUR_MS;

/** The next 24 hours, a row for each schedule. */
export function ScheduleDay({
  day: data,
}: {
  readonly day: ScheduleDayView | undefined;
}): ReactElement | null {
  if (data === undefined || data.lines.length === 0) return null;
  const { from, until, lines } = data;
  const at = (time: number): string => `${((time - from) / (until - from)) * 100}%`;
  const first = Math.ceil(from / MARK_EVERY_MS) * MARK_EVERY_MS;
  const hours = Array.from({ length: 6 }, (_, n) => first + n * MARK_EVERY_MS).filter(
    (time) => time < until,
  );
  return (
    <section aria-labelledby="day">
      <h2 id="day">The next 24 hours</h2>
      <ol className="waterfall day" aria-label="When schedules are due, the soonest first">
        {lines.map((line) => (
          <li key={line.name}>
            <span className="what">{line.name}</span>
            <span className="track" aria-hidden="true">
              {line.more ? (
                <span
                  className="bar good"
                  style={{ left: at(line.times[0] ?? from), width: "100%" }}
                />
              ) : (
                line.times.map((time) => (
                  <span key={time} className="bar good due" style={{ left: at(time) }} />
                ))
              )}
            </span>
            <span className="took">{lineWords(line, from)}</span>
          </li>
        ))}
        <li aria-hidden="true">
          <span className="what" />
          <span className="hours">
            {hours.map((time) => (
              <span key={time} style={{ left: at(time) }}>
                {hourOf(time)}
              </span>
            ))}
          </span>
          <span className="took" />
        </li>
      </ol>
    </section>
  );
}

function lineWords({ isPaused, times, more }: Line, from: number): string {
  const [next] = times;
  if (isPaused) return "paused";
  if (next === undefined) return "not within a day";
  const often = more ? `more than ${counted(times.length, "time")}` : counted(times.length, "time");
  return `${often}, next in ${duration(next - from)}`;
}
