import { type ReactElement, useRef } from "react";
import { useSession } from "../questions/questions.ts";
import { useTell } from "../actions/told.tsx";

/** A trace: a link to its page where somebody has said where traces are shown, and a copy. */
export function Trace({ id }: { readonly id: string }): ReactElement {
  const address = useSession().data?.traceUrl;
  const text = useRef<HTMLElement>(null);
  const tell = useTell();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(id);
      tell({ text: "The trace id is copied." });
    } catch {
      // Browsers have no clipboard for pages that came without TLS from another machine.
      if (text.current !== null) getSelection()?.selectAllChildren(text.current);
      tell({ text: "The trace id is selected: copy it with the keyboard." });
    }
  };
  const shown = <code ref={text}>{id}</code>;
  return (
    <span className="trace">
      {address === undefined ? (
        shown
      ) : (
        <a href={address.replaceAll("{traceId}", id)} target="_blank" rel="noreferrer">
          {shown}
        </a>
      )}
      <button
        type="button"
        className="small"
        aria-label="Copy the trace id"
        onClick={() => void copy()}
      >
        Copy
      </button>
    </span>
  );
}

/** The same in a row of a list: its beginning, which leads to its page where there is one. */
export function TraceMark({ id }: { readonly id: string }): ReactElement {
  const address = useSession().data?.traceUrl;
  const mark = <code title={id}>{id.slice(0, 8)}</code>;
  if (address === undefined) return mark;
  return (
    <a href={address.replaceAll("{traceId}", id)} target="_blank" rel="noreferrer">
      {mark}
    </a>
  );
}
