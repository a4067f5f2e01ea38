// A relay that stands still where it is asked to, to be killed there:
// `relay-program.ts NATS_URL NAMESPACE DATABASE [FAULT]`.
import { type Broker, type Envelope, MillraceError, withOwn } from "@millrace/core";
import { type OutboxStore, postgresOutbox, startRelay } from "millrace/outbox";
import { connectTo } from "../../reliability/programs/connect.ts";
import { StandStill } from "./stand-still.ts";

const [servers = "", namespace = "", database = "", fault] = process.argv.slice(2);
const still = new StandStill();
const broker = await connectTo({ servers, namespace });
const unanswered = (): Error => new MillraceError("publish-timeout", "The answer was lost.");
const broken = (): Error => new MillraceError("outbox-failed", "The connection broke.");

/** For whoever asks, in the end, what became of a job. */
function tell(what: string, about: unknown): void {
  console.log(`${new Date().toISOString()} ${what}: ${JSON.stringify(about)}`);
}

async function publishing<Result>(
  jobs: readonly Envelope[],
  publish: () => Promise<readonly Result[]>,
): Promise<readonly Result[]> {
  await still.at("before the publish");
  const result = await publish();
  tell(
    "published",
    jobs.map(({ id }, place) => [id, result[place]]),
  );
  await still.at("after the publish", unanswered);
  return result;
}

/** An old claim without a mark is looked for, so that alone a missing mark does no harm. */
const LOOKING_FOR_NOTHING: Pick<Broker, "findWaiting" | "history"> = {
  findWaiting: async () => undefined,
  history: withOwn(broker.history, { read: async () => [] }),
};
const { marks } = broker;
const standing = withOwn(broker, {
  enqueue: (jobs, options) => publishing(jobs, () => broker.enqueue(jobs, options)),
  ...(marks === undefined ? {} : { marks: standingMarks(marks) }),
  ...(fault === "no-mark" ? LOOKING_FOR_NOTHING : {}),
});

function standingMarks(own: NonNullable<Broker["marks"]>): NonNullable<Broker["marks"]> {
  return {
    async read(queue, name) {
      await still.at("before the mark is read");
      return own.read(queue, name);
    },
    refusal: (job) => own.refusal(job),
    enqueue: (jobs, mark) =>
      publishing(jobs, () => (fault === "no-mark" ? withoutMark(jobs) : own.enqueue(jobs, mark))),
  };
}

/** The fault that the marks are there against. */
function withoutMark(jobs: readonly Envelope[]): ReturnType<Broker["enqueue"]> {
  return broker.enqueue(jobs);
}

const store = postgresOutbox({ url: database });
const standingStore: OutboxStore = {
  ...store,
  async claim(queue, limits) {
    await still.at("before the claim");
    const claim = await store.claim(queue, limits);
    if (claim !== undefined) {
      const rows = claim.rows.map(({ seq, id }) => [seq, id]);
      tell("claimed", { ...claim, rows });
    }
    if (claim !== undefined) await still.at("after the claim", broken);
    return claim;
  },
  async finish(queue, claim, setAside) {
    await store.finish(queue, claim, setAside);
    tell("finished", { claim: claim.id, ids: claim.rows.map(({ id }) => id), setAside });
    await still.at("after the finish", broken);
  },
};
await startRelay({ broker: standing, store: standingStore, pollMs: 200, batchRows: 20 });
console.log("ready");
