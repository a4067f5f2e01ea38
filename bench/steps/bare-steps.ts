import { encodeMsgpack } from "@millrace/core";
import { jetstream, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { resultOf, type StepContender, together } from "./contender.ts";

/** Nothing but what a step rests on: a publish to a subject on which nothing may lie yet. */
export async function bareSteps(servers: string): Promise<StepContender> {
  const nc = await connect({ servers });
  const js = jetstream(nc);
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({
    ...{ name: "bare-journal", subjects: ["bare.journal.>"], max_msgs_per_subject: 1 },
    retention: RetentionPolicy.Limits,
  });
  let runs = 0;
  const record = async (run: number, step: number): Promise<void> => {
    const subject = `bare.journal.steps.${run}.1.step.${step}`;
    const data = encodeMsgpack({ kind: "run", name: "step", n: step, value: resultOf(step) });
    await js.publish(subject, data, { expect: { lastSubjectSequence: 0 } });
  };
  const loop = async (steps: number, began?: number[]): Promise<void> => {
    const run = (runs += 1);
    for (let step = 0; step < steps; step += 1) {
      began?.push(performance.now());
      await record(run, step);
    }
  };
  return {
    name: "bare publish with compare",
    run: (jobs, steps) => together(jobs, () => loop(steps)),
    beganAt: async (steps) => {
      const began: number[] = [];
      await loop(steps, began);
      return began;
    },
    [Symbol.asyncDispose]: () => nc.close(),
  };
}
