import { Link } from "wouter";
import { createContext, type ReactElement, type ReactNode, use, useState } from "react";
import { operationAddress } from "../words/addresses.ts";

/** What a change did, for whoever asked for it. */
interface Told {
  readonly text: string;
  readonly trouble?: string;
  /** That did it, where its page takes it back. */
  readonly operation?: string | undefined;
}

const TellContext = createContext<(told: Told) => void>(() => {});

export function useTell(): (told: Told) => void {
  return use(TellContext);
}

/** Says what was done last, until it is closed or something else is done. */
export function Teller({ children }: { readonly children: ReactNode }): ReactElement {
  const [told, setTold] = useState<Told | undefined>(undefined);
  return (
    <TellContext value={setTold}>
      {children}
      <div className="told" role="status">
        {told === undefined ? null : (
          <div className={told.trouble === undefined ? "notice good" : "notice warning"}>
            <span>
              {told.text}
              {told.trouble === undefined ? "" : ` ${told.trouble}`}
              {told.operation === undefined ? null : (
                <>
                  {" "}
                  <Link href={operationAddress(told.operation)}>How far it is, and undo</Link>
                </>
              )}
            </span>
            <button type="button" onClick={() => setTold(undefined)}>
              Close
            </button>
          </div>
        )}
      </div>
    </TellContext>
  );
}
