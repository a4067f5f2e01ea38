import { type ReactElement, useId, useState } from "react";
import { useCompletions, useSession } from "./questions.ts";

/**
 * A filter, with what may come next. It is asked for when it is written, not at each letter: half a
 * term is none.
 */
export function FilterField({
  terms,
  set,
}: {
  readonly terms: string;
  readonly set: (terms: string) => void;
}): ReactElement {
  const hasIndex = useSession().data?.search === true;
  const [typed, setTyped] = useState(terms);
  const [isHere, setHere] = useState(false);
  const next = useCompletions(typed, hasIndex && isHere).data ?? [];
  const list = useId();
  return (
    <>
      <label className="wide">
        {hasIndex ? "Search" : "Filter"}
        <input
          type="search"
          list={list}
          value={typed}
          placeholder={hasIndex ? INDEX_HINT : TERMS_HINT}
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
