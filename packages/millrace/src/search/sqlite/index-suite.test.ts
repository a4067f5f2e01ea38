import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { AskedIndex } from "../index-calls.ts";
import { causesSuite } from "../suite/causes-suite.fixture.ts";
import { heardSuite } from "../suite/heard-suite.fixture.ts";
import { indexSuite } from "../suite/index-suite.fixture.ts";
import { IndexThread } from "./index-thread.ts";

function inFile(): Promise<AskedIndex> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-index-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return IndexThread.start(join(dir, "jobs.db"));
}

indexSuite(inFile);
causesSuite(inFile);
heardSuite(inFile);
