import { type ReactElement, useId, useState } from "react";
import { LIVE_STATES } from "../../src/fleet/live-states.ts";
import { type Completed, useCompletions, useSession } from "../questions/questions.ts";

/** A filter of jobs: of those in a state now, or of all in the index, where there is one. */
export function JobFilterField({
  state,
  queue,
  ...field
}: Field & {
  readonly state: string;
  readonly queue: string;
}): ReactElement {
  const hasIndex = useSession().data?.search === true;
  const ofNow = LIVE_STATES.includes(state);
  return (
    <FilterField
      {...field}
      label={hasIndex ? "Search" : "Filter"}
      hint={ofNow ? LIVE_HINT : hasIndex ? INDEX_HINT : TERMS_HINT}
      completed={{ of: "jobs", state, queue }}
      // What the history alone holds, nobody has looked through.
      completes={ofNow || hasIndex}
    />
  );
}

export function DeadFilterField(field: Field): ReactElement {
  return (
    <FilterField {...field} label="Filter" hint={DEAD_HINT} completed={{ of: "dead" }} completes />
  );
}

interface Field {
  readonly terms: string;
  readonly set: (terms: string) => void;
}

/**
 * A filter, with what may come next. It is asked for when it is written, not at each letter: half a
 * term is none.
 */
function FilterField({
  terms,
  set,
  label,
  hint,
  completed,
  completes,
}: Field & {
  readonly label: string;
  readonly hint: string;
  readonly completed: Completed;
  readonly completes: boolean;
}): ReactElement {
  const [typed, setTyped] = useState(terms);
  const [isHere, setHere] = useState(false);
  const next = useCompletions(completed, typed, completes && isHere).data ?? [];
  const list = useId();
  return (
    <>
      <label className="wide">
        {label}
        <input
          type="search"
          list={list}
          value={typed}
          placeholder={hint}
          spellCheck={false}
          autoComplete="off"
          onFocus={() => setHere(true)}
          onChange={(event) => setTyped(event.target.value)}
          onBlur={() => {
            setHere(false);
            set(typed.trim());
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter") set(typed.trim());
          }}
        />
      </label>
      <datalist id={list}>
        {next.map(({ filter, about }) => (
          <option key={filter} value={filter}>
            {about}
          </option>
        ))}
      </datalist>
    </>
  );
}

const TERMS_HINT = "error~timeout took>5s age<2h";
const INDEX_HINT = "payload.customer:42 error~timeout -state:succeeded";
const LIVE_HINT = "payload.customer:42 tag:vip age>1h";
const DEAD_HINT = "error=TimeoutError message~refused payload.customer:42";
