import { type ReactElement, useState } from "react";
import { Matching, OperationAction } from "./operation-action.tsx";
import type { Which } from "./which-jobs.ts";

interface RescheduleAllProps {
  readonly which: Which<object>;
}

/** Gives all delayed jobs that match another time: so long from now, or at a time. */
export function RescheduleAll({ which: { filter, words } }: RescheduleAllProps): ReactElement {
  const [by, setBy] = useState<"delay" | "at">("delay");
  const [delay, setDelay] = useState("1h");
  const [at, setAt] = useState("");
  const target = { kind: "jobs-reschedule", filter };
  const when = by === "delay" ? { delay } : { at: withZone(at) };
  return (
    <OperationAction
      label="Reschedule all that match"
      question={`Give ${words} another time?`}
      target={{ ...target, ...when }}
    >
      <Matching target={target} one="job" />
      <label>
        When
        <select
          value={by}
          onChange={(event) => setBy(event.target.value === "at" ? "at" : "delay")}
        >
          <option value="delay">so long from now</option>
          <option value="at">at a time</option>
        </select>
      </label>
      {by === "delay" ? (
        <label>
          Not before this long from now
          <input
            value={delay}
            required
            maxLength={30}
            placeholder="1h, 2d, 0s for now"
            onChange={(event) => setDelay(event.target.value)}
          />
        </label>
      ) : (
        <label>
          Not before this time, in your zone
          <input
            type="datetime-local"
            value={at}
            required
            onChange={(event) => setAt(event.target.value)}
          />
        </label>
      )}
      <p>Its page can undo it, for jobs that still wait then.</p>
    </OperationAction>
  );
}

/** What stands in the field is a time of the reader's zone. */
function withZone(local: string): string {
  const time = new Date(local);
  return Number.isNaN(time.getTime()) ? local : time.toISOString();
}
