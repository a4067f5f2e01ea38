import { type ReactElement, useState } from "react";
import { Action } from "./action.tsx";
import { type Fields, TimingFields } from "./change-schedule.tsx";

const AT_FIRST = {
  ...{ name: "", job: "", queue: "", cron: "0 3 * * *", timezone: "UTC" },
  ...{ jitter: "0s", missed: "once", overlap: "allow", lateAfter: "5s" },
};

type Written = Readonly<Record<"name" | "job" | "queue", string>> & Fields;

/** Stores a schedule of a job that some node handles. */
export function AddSchedule(): ReactElement {
  const [written, setWritten] = useState<Written>(AT_FIRST);
  const field = (id: keyof Written) => ({
    value: written[id],
    onChange: ({ target }: { readonly target: { readonly value: string } }) =>
      setWritten({ ...written, [id]: target.value }),
  });
  const name = { required: true, maxLength: 200, spellCheck: false };
  return (
    <Action
      label="Add a schedule"
      question="Add a schedule?"
      path="schedules"
      body={written}
      asksValue="Payload of its jobs, as JSON (left empty, null)"
      done={() => `${written.name} is added.`}
      onOpen={() => setWritten(AT_FIRST)}
    >
      <p>
        From now on, on all nodes: one of them enqueues a job at each of its times. It can be
        changed, paused and removed here.
      </p>
      <label>
        Name of the schedule
        <input {...name} {...field("name")} />
      </label>
      <label>
        Job that it enqueues
        <input {...name} {...field("job")} />
      </label>
      <label>
        Queue of that job
        <input {...name} {...field("queue")} />
      </label>
      <TimingFields name="new schedule" field={field} />
    </Action>
  );
}
