import { type ReactElement, useEffect, useState } from "react";
import { toggleExactTimes } from "../words/exact-times.ts";
import { useModal } from "./modal.ts";
import { Palette } from "./palette.tsx";
import { type Asked, askedBy, stepOf } from "./keys.ts";

/** What the keyboard can do on every page. */
export function Keyboard(): ReactElement {
  const [shown, setShown] = useState<"palette" | "help" | undefined>();
  useEffect(() => {
    const hear = (event: KeyboardEvent): void => {
      const asked = askedBy(event, isTyping(event.target), document.querySelector("dialog[open]"));
      if (asked === undefined) return;
      event.preventDefault();
      if (asked === "palette" || asked === "help") setShown(asked);
      else act(asked);
    };
    document.addEventListener("keydown", hear);
    document.addEventListener("click", tapped);
    return () => {
      document.removeEventListener("keydown", hear);
      document.removeEventListener("click", tapped);
    };
  }, []);
  const close = (): void => setShown(undefined);
  return (
    <>
      <button
        type="button"
        className="keys"
        aria-keyshortcuts="Control+K Meta+K"
        onClick={() => setShown("palette")}
      >
        Go to… <kbd>⌘K</kbd>
      </button>
      {shown === "palette" ? <Palette onClose={close} /> : null}
      {shown === "help" ? <Help onClose={close} /> : null}
    </>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input, textarea, select"))
  );
}

/** Where there is no keyboard, and no pointer that could rest on a time. */
function tapped({ target }: MouseEvent): void {
  if (target instanceof Element && target.closest("time") !== null) toggleExactTimes();
}

function act(asked: Exclude<Asked, "palette" | "help">): void {
  if (asked === "times") return toggleExactTimes();
  // The fields of questions that nobody has opened stand before it.
  if (asked === "filter")
    return document.querySelector<HTMLInputElement>("main input:not(dialog input)")?.focus();
  const rows = [...document.querySelectorAll<HTMLElement>("main tbody tr")];
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[stepOf(here, rows.length, asked)];
  const link = row?.querySelector<HTMLElement>("a, button");
  if (link === null || link === undefined) row?.setAttribute("tabindex", "-1");
  (link ?? row)?.focus();
}

const KEYS = [
  ["⌘K, Ctrl K", "go to a page, a queue or a job"],
  ["j, k", "the next and the previous row of the table"],
  ["Enter", "open what is in the row"],
  ["/", "to the first filter"],
  ["t", "all times exact, or how long ago; so does a tap on any time"],
  ["Esc", "close what is open"],
  ["?", "this help"],
] as const;

function Help({ onClose }: { readonly onClose: () => void }): ReactElement {
  const dialog = useModal();
  return (
    <dialog ref={dialog} aria-labelledby="keys" onClose={onClose}>
      <h2 id="keys">Keys</h2>
      <dl className="facts">
        {KEYS.map(([key, what]) => (
          <div key={key} className="row">
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <div className="actions">
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}
