import { type ReactElement, useState } from "react";
import { Link } from "wouter";
import type { JobView } from "../../src/api/views/views.ts";
import { Answer } from "../questions/answer.tsx";
import { executionState, executionTrail } from "./execution-trail.ts";
import { MachineChartDrawn } from "../machines/machine-chart.tsx";
import { useRuntimeMachines } from "../questions/questions.ts";

/** The chart of a job's executions with the state that it is in, asked for when it is opened. */
export function ExecutionChart({ job }: { readonly job: JobView }): ReactElement {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>Its way through the chart of executions</summary>
      {isOpen ? <Drawn job={job} /> : null}
    </details>
  );
}

function Drawn({ job }: { readonly job: JobView }): ReactElement {
  const machines = useRuntimeMachines();
  const state = executionState(job);
  return (
    <Answer of={machines}>
      {(view) => {
        const execution = view.machines.find(({ name }) => name === "execution");
        return execution === undefined ? null : (
          <>
            <MachineChartDrawn
              chart={execution.chart}
              lit={{ active: state === undefined ? [] : [state], trail: executionTrail(job) }}
              label={
                state === undefined
                  ? `No execution of ${job.id} has begun`
                  : `The last execution of ${job.id}: ${state}`
              }
            />
            <p className="quiet">
              It begins anew with each delivery; what was requeued is delivered again. All{" "}
              <Link href="/machines/runtime">machines of the runtime</Link>.
            </p>
          </>
        );
      }}
    </Answer>
  );
}
