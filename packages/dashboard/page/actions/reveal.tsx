import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ReactElement } from "react";
import type { RevealedView } from "../../src/api/views/views.ts";
import { post } from "../questions/api.ts";
import { useSession } from "../questions/questions.ts";

/** What is masked on a page, for whoever has asked for it. It goes with the page. */
export interface Reveal {
  readonly data: RevealedView | undefined;
  readonly trouble: string | undefined;
  readonly isAsked: boolean;
  show(): void;
  hide(): void;
}

/** @param of what it is looked at for: what was shown of another is not shown of this one */
export function useReveal(path: string, of: string): Reveal {
  const queries = useQueryClient();
  const asked = useMutation({
    mutationFn: (_of: string) => post<RevealedView>(path, {}),
    gcTime: 0,
    onSettled: () => void queries.invalidateQueries({ queryKey: ["audit"] }),
  });
  const isOfThis = asked.variables === of;
  return {
    data: isOfThis ? asked.data : undefined,
    trouble: isOfThis ? asked.error?.message : undefined,
    isAsked: isOfThis && asked.isPending,
    show: () => asked.mutate(of),
    hide: () => asked.reset(),
  };
}

/** Says that secrets are masked, and shows them to whoever may see them. */
export function Masked({ reveal }: { readonly reveal: Reveal }): ReactElement {
  const mayLook = useSession().data?.user.payloads === true;
  const isShown = reveal.data !== undefined;
  return (
    <div className="masked">
      {mayLook ? (
        <button
          type="button"
          disabled={reveal.isAsked}
          onClick={isShown ? reveal.hide : reveal.show}
        >
          {isShown ? "Mask again" : "Show what is masked"}
        </button>
      ) : null}
      {reveal.trouble === undefined ? null : (
        <p className="notice critical" role="alert">
          {reveal.trouble}
        </p>
      )}
      <p className="quiet">
        {isShown
          ? "This is as it is stored, as far as JSON can show it. That you looked is in the audit."
          : mayLook
            ? "Secrets are masked. Each look at them is in the audit."
            : "Secrets are masked. Only who has the right to payloads can see them."}
      </p>
    </div>
  );
}
