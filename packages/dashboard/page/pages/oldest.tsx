import type { ReactElement } from "react";
import { Link, Redirect } from "wouter";
import { jobAddress, queueAddress } from "../words/addresses.ts";
import { Answer, Page } from "../questions/answer.tsx";
import { useOldest } from "../questions/questions.ts";

/** Leads to the job that lies in a queue for the longest time, wherever it is by now. */
export function OldestPage({ queue }: { readonly queue: string }): ReactElement {
  const oldest = useOldest(queue);
  const job = oldest.data?.job;
  if (job !== undefined) return <Redirect to={jobAddress(job)} replace />;
  return (
    <Page title={`Oldest job of ${queue}`}>
      <Answer of={oldest}>
        {() => (
          <p>
            Nothing is left in the queue <Link href={queueAddress(queue)}>{queue}</Link>.
          </p>
        )}
      </Answer>
    </Page>
  );
}
