import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "millrace";
import { expect, it, onTestFinished } from "vitest";
import { startChild } from "../harness/child.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { here, inThread, type Seen } from "./programs/look.job.ts";

const LEASE_MS = 4_000;
/**
 * By its own timer, long after all of them have begun and the process is frozen, and before it is
 * thawed.
 */
const WAKES_AFTER_MS = 4 * LEASE_MS;
/** Handlers of each kind, which wake one after the other. */
const EACH = 4;

describeEachServer(
  "4: a handler frozen for two leases",
  (server) => {
    it.each([
      ["on the main thread", here],
      ["in a thread of its own", inThread],
    ])(
      "finds its signal aborted at its first look, %s, and can enqueue nothing",
      async (_where, job) => {
        const directory = mkdtempSync(join(tmpdir(), "millrace-look-"));
        onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
        const file = join(directory, "seen");
        const namespace = server.namespace();
        const millrace = await connect({ servers: server.url, namespace });
        onTestFinished(() => millrace.close());
        const child = startChild(join(import.meta.dirname, "programs", "look-program.ts"), {
          args: [
            JSON.stringify({
              ...{ servers: server.url, namespace, leaseMs: LEASE_MS },
              ...(job === inThread ? { holdsFor: { handlers: EACH, file } } : {}),
            }),
          ],
        });
        await child.line(/^ready/, 90_000);
        await millrace.enqueueMany(
          job,
          Array.from({ length: EACH }, (_, n) => ({
            id: `look-${n}`,
            input: {
              file,
              wakesAfterMs: WAKES_AFTER_MS + 20 * n,
              ...(job === inThread ? { blocks: true } : {}),
            },
          })),
        );
        await eventually(() => runs(file, "began").length === EACH, {
          withinMs: 20_000,
          describe: "all handlers wait",
        });
        // Frozen before, the node could know of its leases first once it is thawed.
        if (job === inThread) await child.line(/^held/, 20_000);
        await child.freeze();
        expect(runs(file, "looked")).toEqual([]);
        const thawAt = performance.now() + WAKES_AFTER_MS + LEASE_MS;
        await eventually(() => performance.now() >= thawAt, {
          withinMs: 20_000 + 3 * WAKES_AFTER_MS,
          describe: "the lease is long over, and all timers are due",
        });
        child.signal("SIGCONT");
        await eventually(() => runs(file, "again").length === EACH, {
          // On a busy machine a thread may start for longer than a lease: another delivery goes.
          withinMs: 60_000,
          describe: "all jobs run again",
        });
        const looked = runs(file, "looked");
        expect(looked).toHaveLength(EACH);
        for (const one of looked)
          expect(one).toMatchObject({
            aborted: true,
            thrown: "lease-lost",
            derivedNow: true,
            listenerCalled: true,
            // Derived before the freeze: aborted by the first timer after it, which is the node's.
            ...(job === here ? { derived: true } : {}),
          });
        for (const one of runs(file, "enqueued")) expect(one.enqueued).toBe("lease-lost");
        await child.kill();
      },
    );
  },
  { singleServer: "leases shorter than an election are lost in it" },
);

/** What the first runs of all jobs saw; `again`: the beginnings of the runs after them. */
function runs(file: string, saw: Seen["saw"] | "again"): readonly Seen[] {
  if (!existsSync(file)) return [];
  const all = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Seen);
  const isFirst = ({ id, token }: Seen): boolean =>
    all.every((other) => other.id !== id || other.token >= token);
  return saw === "again"
    ? all.filter((one) => one.saw === "began" && !isFirst(one))
    : all.filter((one) => one.saw === saw && isFirst(one));
}
