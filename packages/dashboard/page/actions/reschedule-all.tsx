import type { ReactElement } from "react";
import { Matching, OperationAction } from "./operation-action.tsx";
import { useWhen, WhenField } from "./when-field.tsx";
import type { Which } from "./which-jobs.ts";

interface RescheduleAllProps {
  readonly which: Which<object>;
}

/** Gives all delayed jobs that match another time: so long from now, or at a time. */
export function RescheduleAll({ which: { filter, words } }: RescheduleAllProps): ReactElement {
  const { when, body, set } = useWhen();
  const target = { kind: "jobs-reschedule", filter };
  return (
    <OperationAction
      label="Reschedule all that match"
      question={`Give ${words} another time?`}
      target={{ ...target, ...body }}
      counts={target}
    >
      <Matching target={target} one="job" />
      <WhenField when={when} set={set} />
      <p>Its page can undo it, for jobs that still wait then.</p>
    </OperationAction>
  );
}
