import type { ReactElement } from "react";
import { counted } from "./number.ts";

/** That a look at what waits or runs was not a whole one. */
export function Unanswered({ nodes }: { readonly nodes: number | undefined }): ReactElement | null {
  if (nodes === undefined) return null;
  return (
    <p className="notice warning">
      {counted(nodes, "node")} did not answer: of what {nodes === 1 ? "it has" : "they have"} in
      hand some may be missing, or be taken for waiting.
    </p>
  );
}
