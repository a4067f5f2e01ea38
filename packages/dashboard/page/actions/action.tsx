import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, type ReactNode, useId, useRef, useState } from "react";
import type { ChangeView } from "../../src/api/views/views.ts";
import { change } from "../questions/api.ts";
import { useSession } from "../questions/questions.ts";
import { useTell } from "./told.tsx";

interface ActionProps {
  /** `Retry all`. */
  readonly label: string;
  /** `Retry 500 dead letters?` */
  readonly question: string;
  /** What will happen then, and to how many. */
  readonly children: ReactNode;
  readonly path: string;
  readonly body?: object;
  /** A field of its own, whose JSON is sent as `value`; left empty, nothing is. */
  readonly asksValue?: string;
  /** What stands in that field at first, which then has several lines. */
  readonly valueAtFirst?: string;
  /** Ask why; the answer is sent as `reason`. */
  readonly asksWhy?: boolean;
  readonly danger?: boolean;
  /** It would do nothing now. It stays where it is all the same, and what it asks stays open. */
  readonly isOff?: boolean;
  /** Whether it is known by now what will be changed. Default: it is. */
  readonly isReady?: boolean;
  /** In words, when it is done: `500 letters retried`. */
  readonly done: (result: ChangeView) => string;
  /** What else happens then. */
  readonly afterwards?: (result: ChangeView) => void;
  /** The button was pressed: fields of the one who asks are as they were at first. */
  readonly onOpen?: () => void;
}

/** A button that says first what it will do, then does it, then says what became of it. */
export function Action(props: ActionProps): ReactElement | null {
  const { label, question, children, asksWhy = false, danger = false, isReady = true } = props;
  const { asksValue, valueAtFirst, isOff = false } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const [reason, setReason] = useState("");
  const [json, setJson] = useState("");
  /** What it says may have to be asked for, which is done for whoever reads it. */
  const [isOpen, setIsOpen] = useState(false);
  const act = useAct(props, () => dialog.current?.close());
  const session = useSession();
  if (session.data?.user.role !== "operator") return null;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    act.mutate({ ...props.body, reason, json });
  };
  // What was typed for an earlier change isn't meant for this one.
  const open = (): void => {
    act.reset();
    setJson(valueAtFirst ?? "");
    setReason("");
    props.onOpen?.();
    setIsOpen(true);
    dialog.current?.showModal();
  };
  return (
    <>
      <button
        type="button"
        className={danger ? "danger" : undefined}
        disabled={isOff}
        onClick={open}
      >
        {label}
      </button>
      <dialog ref={dialog} aria-labelledby={heading} onClose={() => setIsOpen(false)}>
        <form onSubmit={submit}>
          <h2 id={heading}>{question}</h2>
          {isOpen ? children : null}
          <ValueField
            asks={asksValue}
            isLong={valueAtFirst !== undefined}
            json={json}
            set={setJson}
          />
          {asksWhy ? (
            <label>
              Why (shown to everybody)
              <input
                value={reason}
                maxLength={500}
                onChange={(event) => setReason(event.target.value)}
              />
            </label>
          ) : null}
          {act.error === null ? null : (
            <p className="notice critical" role="alert">
              {act.error.message}
            </p>
          )}
          <div className="actions">
            <button type="button" onClick={() => dialog.current?.close()}>
              Keep as it is
            </button>
            <button
              type="submit"
              className={danger ? "danger main" : "main"}
              disabled={act.isPending || !isReady}
            >
              {act.isPending ? "Working…" : label}
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}

/** JSON that is sent along. */
function ValueField({
  asks,
  isLong,
  json,
  set,
}: {
  readonly asks: string | undefined;
  readonly isLong: boolean;
  readonly json: string;
  readonly set: (json: string) => void;
}): ReactElement | null {
  if (asks === undefined) return null;
  const field = {
    value: json,
    onChange: ({ target }: { readonly target: { readonly value: string } }) => set(target.value),
  };
  return (
    <label>
      {asks}
      {isLong ? <textarea rows={10} spellCheck={false} {...field} /> : <input {...field} />}
    </label>
  );
}

interface Asked {
  readonly reason: string;
  /** What isn't JSON is refused where it is read, and said. */
  readonly json: string;
}

function useAct(
  { path, done, afterwards }: Pick<ActionProps, "path" | "done" | "afterwards">,
  close: () => void,
) {
  const queries = useQueryClient();
  const tell = useTell();
  return useMutation({
    mutationFn: async ({ reason, json, ...body }: Asked) =>
      change(path, { ...body, ...(reason === "" ? {} : { reason }) }, json),
    onSuccess: (result) => {
      close();
      const [failure] = result.failed;
      tell({
        text: done(result),
        // Who goes there at once needs no link.
        ...(afterwards === undefined ? { operation: result.operation } : {}),
        ...(failure === undefined
          ? {}
          : { trouble: `${result.failed.length} failed. ${failure.id}: ${failure.message}` }),
      });
      void queries.invalidateQueries();
      afterwards?.(result);
    },
  });
}
