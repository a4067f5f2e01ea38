import { type Broker, brokerOutlet, MillraceError, Producer, withOwn } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { key, scene } from "../../fixtures/unique-scene.ts";

const LARGE = "x".repeat(5_000);
type Scene = Awaited<ReturnType<typeof scene>>;

/** Jobs of one call and one key, by a producer whose server takes no large ones. */
function send(
  { clock, server, job }: Scene,
  versions: readonly (number | string)[],
  over = (broker: Broker): Broker => broker,
) {
  const narrow = new MemoryBroker({ clock, server, maxMessageBytes: 2_000 });
  const items = versions.map((version, place) => ({
    id: `v${place + 1}`,
    input: { doc: "a", version: version as number },
  }));
  return new Producer(brokerOutlet(over(narrow), clock), clock).enqueueMany(job, items);
}

const tooLarge = { ok: false, error: { code: "payload-too-large" } };

test("a job that could not be enqueued keeps none of the same call out", async () => {
  const at = await scene({ key });
  expect(await send(at, [LARGE, LARGE, 3, 4])).toMatchObject([
    tooLarge,
    tooLarge,
    { ok: true, id: "v3", duplicate: false },
    { ok: true, id: "v3", duplicate: true, conflict: { kind: "kept", key: "a" } },
  ]);
  await at.node();
  expect(at.ran).toEqual([3]);
});

test("one that was to be replaced by it runs", async () => {
  const at = await scene({ key, onConflict: "replace" });
  expect(await send(at, [1, LARGE])).toMatchObject([{ ok: true, duplicate: false }, tooLarge]);
  await at.node();
  expect(at.ran).toEqual([1]);
});

test("nor is it told of that one where its key could not be given back", async () => {
  const at = await scene({ key });
  const giveBack = async (): Promise<never> => {
    throw new MillraceError("request-timeout", "No answer came.");
  };
  const [, second] = await send(at, [LARGE, 2], (broker) =>
    withOwn<Broker>(broker, {
      documents: async (bucket) => withOwn(await broker.documents(bucket), { erase: giveBack }),
    }),
  );
  expect(second).toMatchObject({ ok: false, id: "v2", error: { code: "revision-conflict" } });
  await at.node();
  expect(at.ran).toEqual([]);
});
