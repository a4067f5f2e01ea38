import type { ReactElement } from "react";
import { Link } from "wouter";
import type {
  DelayReasonView,
  HoldingNodeView,
  JobHoldView,
} from "../../src/api/views/hold-views.ts";
import type { JobView } from "../../src/api/views/views.ts";
import { jobAddress, queueAddress } from "../words/addresses.ts";
import { Answer } from "../questions/answer.tsx";
import { count, counted } from "../words/number.ts";
import { useJobHold } from "../questions/questions.ts";
import { rateWords } from "../actions/set-limits.tsx";
import { Moment } from "../words/time.tsx";

const WAITING = ["queued", "delayed", "blocked"];

/** What a job that waits waits for: which limit, who has it, and until when. */
export function Hold({ job }: { readonly job: JobView }): ReactElement | null {
  return WAITING.includes(job.state) ? <Waiting key={job.state} job={job} /> : null;
}

function Waiting({ job: { queue, id, state } }: { readonly job: JobView }): ReactElement {
  const answer = useJobHold(queue, id, state);
  return (
    <section aria-labelledby="hold">
      <h2 id="hold">What it waits for</h2>
      <div className={`hold ${state}`}>
        <Answer of={answer}>
          {({ hold }) =>
            hold === undefined ? (
              <p className="quiet">Nothing is known to hold it: its turn comes.</p>
            ) : (
              <HoldWords hold={hold} queue={queue} />
            )
          }
        </Answer>
      </div>
    </section>
  );
}

const WHY: Readonly<Record<DelayReasonView, string>> = {
  delay: "Its producer gave it a delay or a time.",
  retry: "An attempt failed, and the next is due then.",
  snooze: "Its handler or a step of it chose the time.",
  "key-rate": "The rate of its key keeps that start for it.",
  "handed-back": "It was handed back, and goes on then.",
};

interface HoldProps<Kind extends JobHoldView["kind"]> {
  readonly hold: Extract<JobHoldView, { readonly kind: Kind }>;
  readonly queue: string;
}

function HoldWords({ hold, queue }: HoldProps<JobHoldView["kind"]>): ReactElement {
  switch (hold.kind) {
    case "time":
      return (
        <p>
          Its time, <Moment at={hold.until} />. {WHY[hold.why]}
        </p>
      );
    case "gate":
      return <Gate hold={hold} queue={queue} />;
    case "paused":
      return (
        <p>
          Its queue <Link href={queueAddress(queue)}>{queue}</Link>, paused{" "}
          <Moment at={hold.since} />
          {hold.by === undefined ? "" : ` by ${hold.by}`}
          {hold.reason === undefined ? "." : `: ${hold.reason}`}
        </p>
      );
    case "queue-concurrency":
      return (
        <p>
          Its queue&rsquo;s limit: <strong>{counted(hold.limit, "job")} at once</strong> over all
          nodes, and {count(hold.running)} run
          <Users holders={hold.holders} />.
        </p>
      );
    case "queue-rate":
      return (
        <p>
          Its queue&rsquo;s rate: <strong>{rateWords(hold)}</strong> over all nodes, and no start is
          free
          <Users holders={hold.holders} />.
        </p>
      );
    case "slots":
      return (
        <p>
          {hold.nodes === 0 ? "A node: none takes jobs of " : "A slot: "}
          {hold.nodes === 0 ? (
            <Link href={queueAddress(queue)}>{queue}</Link>
          ) : (
            `all ${count(hold.slots)} of ${counted(hold.nodes, "node")} are in use`
          )}
          .
        </p>
      );
  }
}

function Users({ holders }: { readonly holders: readonly HoldingNodeView[] }): string {
  if (holders.length === 0) return "";
  return ` (${holders.map(({ holder, count: used }) => `${holder}: ${count(used)}`).join(", ")})`;
}

const LIMITS = {
  singleton: "singleton",
  "key-concurrency": "jobs at once of the key",
  "key-rate": "starts of the key",
} as const;

function Gate({ hold }: HoldProps<"gate">): ReactElement {
  const { gate, limit, key, since, before, waiting } = hold;
  return (
    <>
      <p>
        The{" "}
        <Link href="/limits">
          {limit === undefined ? `gate ${gate}` : `${LIMITS[limit]} ${key ?? ""}`}
        </Link>
        , since <Moment at={since} />.{" "}
        {before === undefined
          ? "More than 100 are"
          : before === 0
            ? "None is"
            : beforeWords(before)}{" "}
        before it, {count(waiting)} wait there in all.
      </p>
      <Holders hold={hold} />
    </>
  );
}

function beforeWords(before: number): string {
  return before === 1 ? "1 is" : `${count(before)} are`;
}

function Holders({ hold: { limit, locks, jobs } }: Omit<HoldProps<"gate">, "queue">): ReactElement {
  if (jobs.length === 0 && locks.length === 0)
    return (
      <p className="quiet">
        Nobody has it now: {limit === "key-rate" ? "its time comes" : "the next is let in"}.
      </p>
    );
  return (
    <div className="holders" role="region" aria-label="Who has it" tabIndex={0}>
      <ul>
        {jobs.map((job) => (
          <li key={`${job.queue}/${job.id}`}>
            <Link className="id" href={jobAddress(job)}>
              {job.id}
            </Link>{" "}
            has it, on {job.node}, since <Moment at={job.startedAt} />
          </li>
        ))}
        {jobs.length > 0
          ? null
          : locks.map(({ name, holder, since }) => (
              <li key={name}>
                {holder} has it
                {since === undefined ? null : (
                  <>
                    , since <Moment at={since} />
                  </>
                )}
              </li>
            ))}
      </ul>
    </div>
  );
}
