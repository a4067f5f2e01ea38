import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchCluster, type LaunchedServer, launchServer } from "@millrace/nats-server";
import type { EnqueueResult } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { allCurrent } from "../harness/cluster/leader-killer.ts";
import { MONITOR_CONFIG } from "../harness/cluster/members.ts";
import { clusterMode, REPLICAS } from "../harness/cluster/mode.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { mountTinyDisk, type TinyDisk, tinyDiskMissing } from "../harness/tiny-disk.ts";
import { envelopeOf, Trial } from "./harness/trial.ts";
import type { Work } from "./programs/work.ts";

/** Of servers that share a disk: in cluster mode three keep everything thrice. */
const SHARERS = clusterMode() === undefined ? 1 : REPLICAS;
const DISK_BYTES = 24 * 1024 * 1024;
/**
 * A server takes three quarters of its disk for JetStream's limit. What others keep there makes the
 * disk itself give out first.
 */
const OTHERS_BYTES = 12 * 1024 * 1024;
const ROOM_BYTES = 256 * 1024 * 1024;
const JOB_BYTES = 500_000;
const NO_SPACE = /no space left on device|critical write error/i;
const JOBS = 80;
/** A user's: with a short one a busy machine runs such large jobs twice, which no disk explains. */
const LEASE_MS = 30_000;

const noDisk = tinyDiskMissing();

for (const target of serversUnderTest()) {
  if (target.generation === "2.10" && process.env["MILLRACE_TEST_CLUSTER"] !== "2.10") continue;
  const reason = noDisk === undefined ? "" : `: ${noDisk}`;
  const skipped = target.state === "missing" || noDisk !== undefined;
  describe.skipIf(skipped)(`14: a full disk (${nameOf(target)}${reason})`, () => {
    const path = target.state === "present" ? target.path : "";
    const tinyDisk = (sharers = 1): TinyDisk => {
      const disk = mountTinyDisk(DISK_BYTES * sharers);
      cleanUpLater(() => disk.remove());
      return disk;
    };
    const crowd = ({ dir }: TinyDisk, sharers = 1): void =>
      writeFileSync(join(dir, "others"), Buffer.alloc(OTHERS_BYTES * sharers));

    const launchOn = async (storeDir: string): Promise<readonly LaunchedServer[]> => {
      const launched =
        clusterMode() === undefined
          ? await launchServer({ path, storeDir })
          : await launchCluster({ path, storeDir, size: REPLICAS });
      cleanUpLater(() => launched.dispose());
      return "members" in launched ? launched.members : [launched];
    };

    it("publishes fail loudly, and with room and a restart everything confirmed runs, and what failed is taken", async () => {
      const disk = tinyDisk(SHARERS);
      const servers = await launchOn(disk.dir);
      crowd(disk, SHARERS);
      const trial = await Trial.start({
        url: servers.map(({ url }) => url).join(","),
        namespace: () => "full",
      });
      const { confirmed, failed } = await publishAll(trial);
      expect(failed.length).toBeGreaterThan(0);
      expect(confirmed.length).toBeGreaterThan(10);
      expect(failed.map(({ error }) => error.code)).toEqual(
        failed.map(() =>
          expect.stringMatching(/^(publish-timeout|broker-unavailable|jetstream-disabled)$/),
        ),
      );
      expect(servers.flatMap(({ log }) => log.lines()).join("\n")).toMatch(NO_SPACE);

      disk.grow(ROOM_BYTES * SHARERS);
      await Promise.all(servers.map((server) => server.restart()));
      await trial.node("a", { leaseMs: LEASE_MS });
      const again = await publishAll(
        trial,
        failed.map(({ id }) => id),
      );
      expect(again.failed).toEqual([]);
      await trial.drained(60_000);
      expect(await trial.expectClean()).toMatchObject({
        confirmed: JOBS,
        succeeded: JOBS,
        dead: 0,
      });
    }, 180_000);

    it("of one member of three stops no queue, and with room and a restart it catches up", async () => {
      const disk = tinyDisk();
      const storeDir = mkdtempSync(join(tmpdir(), "millrace-cluster-"));
      cleanUpLater(() => rmSync(storeDir, { recursive: true, force: true }));
      symlinkSync(disk.dir, join(storeDir, "n1"));
      const cluster = await launchCluster({ path, storeDir, config: MONITOR_CONFIG });
      cleanUpLater(() => cluster.dispose());
      const trial = await Trial.start({
        url: cluster.urls.join(","),
        replicas: REPLICAS,
        namespace: () => "full",
      });
      crowd(disk);
      let { failed } = await publishAll(trial);
      // Where it led the queue, what it was about to store is refused, or not answered for as long
      // as it is silent; the next leader takes it.
      expect(failed.map(({ error }) => error.code)).toEqual(
        failed.map(() => expect.stringMatching(/^(broker-unavailable|publish-timeout)$/)),
      );
      await eventually(
        async () => {
          const left = failed.map(({ id }) => id);
          ({ failed } = await publishAll(trial, left));
          return failed.length === 0;
        },
        { withinMs: 90_000, describe: () => `all is stored; ${failed.length} jobs are left` },
      );
      const full = cluster.members.find(({ name }) => name === "n1");
      // Not every server says so: one that led the queue was seen to fall silent on its full disk.
      await eventually(
        () => disk.left() < JOB_BYTES || full?.log.lines().some((line) => NO_SPACE.test(line)),
        { withinMs: 60_000, describe: () => `its disk is full; ${disk.left()} bytes are left` },
      );

      disk.grow(ROOM_BYTES);
      await full?.restart();
      await allCurrent(cluster.members, 60_000);
      await trial.node("a", { leaseMs: LEASE_MS });
      await trial.drained(60_000);
      expect(await trial.expectClean()).toMatchObject({
        confirmed: JOBS,
        succeeded: JOBS,
        dead: 0,
      });
    }, 240_000);
  });
}

interface Published {
  readonly confirmed: readonly string[];
  readonly failed: readonly Extract<EnqueueResult, { ok: false }>[];
}

/** Large jobs, all at once; each outcome is in the trial's ledger. */
async function publishAll(
  trial: Trial,
  ids: readonly string[] = Array.from({ length: JOBS }, (_, n) => `large-${n}`),
): Promise<Published> {
  const payload: Work & { readonly filling: string } = {
    do: "work",
    filling: "x".repeat(JOB_BYTES),
  };
  const results = await trial.tryPublish(ids.map((id) => envelopeOf(id, payload)));
  return {
    confirmed: results.flatMap((result) => (result.ok ? [result.id] : [])),
    failed: results.filter((result) => !result.ok),
  };
}
