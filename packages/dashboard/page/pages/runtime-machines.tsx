import type { ReactElement } from "react";
import { Link } from "wouter";
import type { RuntimeMachinesView, RuntimeMachineView } from "../../src/api/views/machine-views.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { MachineChartDrawn } from "../machines/machine-chart.tsx";
import { counted } from "../words/number.ts";
import { useRuntimeMachines } from "../questions/questions.ts";

/** The machines by which the runtime itself works, as they are defined. */
export function RuntimeMachinesPage(): ReactElement {
  const answer = useRuntimeMachines();
  return (
    <Page title="Machines of the runtime" actions={<Link href="/machines">Durable machines</Link>}>
      <Answer of={answer}>
        {(view) => view.machines.map((one) => <Machine key={one.name} machine={one} of={view} />)}
      </Answer>
    </Page>
  );
}

const TITLES: Readonly<Record<string, string>> = {
  execution: "Execution of a job",
  node: "Node",
  scheduler: "Leader of schedules",
  lock: "Request for a lock",
};

function Machine({
  machine: { name, chart, byState },
  of,
}: {
  readonly machine: RuntimeMachineView;
  readonly of: RuntimeMachinesView;
}): ReactElement {
  const title = TITLES[name] ?? name;
  const words = Object.entries(byState).map(([path, count]) => `${count} in ${path}`);
  return (
    <section aria-labelledby={`machine-${name}`}>
      <h2 id={`machine-${name}`}>{title}</h2>
      <Known name={name} of={of} />
      <MachineChartDrawn
        chart={chart}
        of={`of ${title}`}
        lit={{ counts: byState }}
        label={words.length === 0 ? `${title}: none is known` : `${title}: ${words.join(", ")}`}
      />
    </section>
  );
}

/** What the numbers count, and what nobody can know. */
function Known({
  name,
  of: { leader, lost },
}: {
  readonly name: string;
  readonly of: RuntimeMachinesView;
}): ReactElement | null {
  switch (name) {
    case "execution":
      return (
        <p className="quiet">
          One delivery of a job. The numbers are jobs that wait in their queues or run now. How
          those ended that are over is in the <Link href="/jobs">list of jobs</Link>.
        </p>
      );
    case "node":
      return (
        <p className="quiet">
          As the <Link href="/nodes">nodes</Link> said last
          {lost === 0 ? "." : `; ${counted(lost, "node")} lost.`}
        </p>
      );
    case "scheduler":
      return (
        <p className="quiet">
          {leader === undefined ? "No node leads now." : `${leader} leads.`} Nodes don&rsquo;t tell
          whether they wait to lead.
        </p>
      );
    case "lock":
      return (
        <p className="quiet">
          The numbers are of <Link href="/limits">locks</Link> that are held, and of requests that
          wait in a process until one is free.
        </p>
      );
    default:
      return null;
  }
}
