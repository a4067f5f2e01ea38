import { type ReactElement, useState } from "react";
import { useLocation } from "wouter";
import type { MachineView } from "../../src/api/views/machine-views.ts";
import { Action } from "../actions/action.tsx";
import { machineAddress } from "../words/addresses.ts";
import { pathOf } from "../words/paths.ts";
import { counted } from "../words/number.ts";
import { Tick } from "../actions/tick.tsx";

/** @param machine the name that is looked at, if one is */
export function StartMachine({ machine }: { readonly machine: string }): ReactElement {
  const [written, setWritten] = useState({ machine, id: "" });
  const [, setLocation] = useLocation();
  const field = (name: keyof typeof written) => ({
    value: written[name],
    required: true,
    maxLength: 200,
    spellCheck: false,
    onChange: ({ target }: { readonly target: { readonly value: string } }) =>
      setWritten({ ...written, [name]: target.value }),
  });
  return (
    <Action
      label="Start a machine"
      question="Start a durable machine?"
      path="machines"
      body={written}
      asksValue="Its input, as JSON (left empty, it has none)"
      done={() => `The start of ${written.machine} ${written.id} was sent.`}
      afterwards={() => setLocation(machineAddress(written.machine.trim(), written.id.trim()))}
      onOpen={() => setWritten({ machine, id: "" })}
    >
      <p>A node that hosts it begins. One that was started before goes on as it is.</p>
      <label>
        Machine
        <input {...field("machine")} />
      </label>
      <label>
        Id
        <input {...field("id")} />
      </label>
    </Action>
  );
}

export function StopMachine({
  view: { machine, id, timers, jobs },
}: {
  readonly view: MachineView;
}): ReactElement {
  return (
    <Action
      label="Stop"
      danger
      question={`Stop ${machine} ${id}?`}
      path={pathOf("machines", machine, id, "stop")}
      done={() => `The stop of ${machine} ${id} was sent.`}
    >
      <p>
        It ends as it stands: it takes no event any more, {counted(timers.length, "timer")} will not
        fire, and it won&rsquo;t hear of the end of {counted(jobs.length, "job")}. This can&rsquo;t
        be undone.
      </p>
    </Action>
  );
}

export function RemoveMachine({
  view: { machine, id, status, timers, jobs },
}: {
  readonly view: MachineView;
}): ReactElement {
  const [force, setForce] = useState(false);
  const [, setLocation] = useLocation();
  return (
    <Action
      label="Forget"
      danger
      question={`Forget ${machine} ${id}?`}
      path={pathOf("machines", machine, id, "remove")}
      body={{ force }}
      done={({ count: removed }) =>
        removed === 1 ? `${machine} ${id} is forgotten.` : `${machine} ${id} is still there.`
      }
      afterwards={({ count: removed }) => {
        if (removed === 1) setLocation("/machines");
      }}
      onOpen={() => setForce(false)}
    >
      <p>
        Nothing of this one machine will be left, and its id may be started anew. This can&rsquo;t
        be undone.
      </p>
      {status === "active" ? (
        <p className="notice warning">
          It goes on: {counted(timers.length, "timer")} would not fire, and nobody would hear of the
          end of {counted(jobs.length, "job")}.
        </p>
      ) : null}
      <Tick ticked={force} set={setForce}>
        Also while it goes on or keeps events for others, which are lost then
      </Tick>
    </Action>
  );
}
