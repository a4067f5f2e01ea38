import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UNSETTLED } from "@millrace/core";
import { createMask, type Mask } from "@millrace/telemetry/masking";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { maskOf } from "../config/mask-of.ts";
import { openJobIndex } from "./job-index.ts";

const IBAN = "DE02120300000000202051";
const GUESSES = ["payload.iban:DE02*", "DE021203", "tag~DE02", "name=send"];

/** A job that an index has in its file, of which each look makes what its mask lets through. */
async function scene() {
  const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "jobs.db");
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  await broker.queues.ensure("mail");
  await broker.enqueue(
    ["a", "b"].map((id) => ({
      ...{ ...UNSETTLED, id, name: "send", queue: "mail", headers: {}, createdAt: 1 },
      payload: { iban: IBAN },
      tags: [IBAN],
    })),
  );
  const look = async (mask: Mask) => {
    const index = await openJobIndex({ broker, clock, mask, path });
    onTestFinished(() => index.close());
    await index.caughtUp();
    const found = await Promise.all(GUESSES.map((where) => index.search({ where, limit: 1 })));
    const words = await index.complete("tag:");
    const { position } = await index.status();
    await index.close();
    return { text: JSON.stringify([found, words]), found: found.map(shapeOf), position };
  };
  return { look, file: () => readFileSync(path, "latin1") };
}

function shapeOf({ jobs, more }: { readonly jobs: readonly unknown[]; readonly more: boolean }) {
  return `${jobs.length}${more ? "+" : ""}`;
}

test("an index whose fleet hides more than before is made anew", async () => {
  const { look, file } = await scene();
  expect((await look(maskOf({}))).found).toEqual(["1+", "1+", "1+", "1+"]);
  expect(file()).toContain("DE021203");
  const hidden = await look(maskOf({ maskKeys: ["iban"], maskPatterns: ["DE\\d+"] }));
  expect(hidden.found).toEqual(["0", "0", "0", "1+"]);
  expect(hidden.text).not.toContain("DE02");
  expect(file()).not.toContain("DE021203");
});

test("what another function has let into an index is masked when it is found, and not guessed", async () => {
  const { look } = await scene();
  expect((await look(createMask())).found).toEqual(["1+", "1+", "1+", "1+"]);
  const hidden = await look(createMask({ keys: ["iban"], patterns: [/DE\d+/] }));
  expect(hidden.found).toEqual(["0", "0", "0", "1+"]);
  expect(hidden.text).not.toContain("DE02");
});
