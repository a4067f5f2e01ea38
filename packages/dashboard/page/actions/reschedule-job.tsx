import type { ReactElement } from "react";
import type { RefView } from "../../src/api/views/views.ts";
import { Action } from "./action.tsx";
import { pathOf } from "../words/paths.ts";
import { useWhen, WhenField } from "./when-field.tsx";

/** Gives a job that waits for its time another one. */
export function RescheduleJob({ queue, id }: RefView): ReactElement {
  const { when, body, set, reset } = useWhen();
  return (
    <Action
      label="Reschedule"
      question={`Give the job ${id} another time?`}
      path={pathOf("jobs", queue, id, "reschedule")}
      body={body}
      done={() => `${id} has another time.`}
      onOpen={reset}
    >
      <p>
        It alone gets another time, and may have it changed again as long as it waits. This page
        says until when it waits now.
      </p>
      <WhenField when={when} set={set} />
    </Action>
  );
}
