import { writeFileSync } from "node:fs";

/** The engine's own crash: there is no native code of ours that could bring it about. */
const ENGINE_CRASH =
  /Worker exited unexpectedly with signal (SIGSEGV|SIGTRAP|SIGILL)\b.* while running test file (\S+)/;

/**
 * A vitest reporter that counts what happened and writes it to the file that scripts/test.mjs
 * reads.
 */
export default class TestSummary {
  onTestRunEnd(modules, unhandledErrors) {
    const crashes = unhandledErrors.map(crashOf);
    const crashed = crashes.filter((crash) => crash !== undefined);
    const summary = {
      passed: 0,
      failed: crashes.length - crashed.length,
      skipped: [],
      skipReasons: [],
      crashed,
    };
    const reasons = new Map();
    for (const module of modules) {
      // It is run again as a whole, and counted then.
      if (crashed.some(({ file }) => file === module.moduleId)) continue;
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") summary.passed += 1;
        else if (result.state === "failed") failedHere += 1;
        else {
          summary.skipped.push(test.fullName);
          const reason = reasonOf(test, result);
          reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        }
      }
      // A file that cannot be loaded, or a hook that fails, is a failure though no test of it
      // failed.
      const brokenSuites = [...module.children.allSuites()].filter(
        (suite) => suite.errors().length > 0,
      );
      if (failedHere === 0 && (module.errors().length > 0 || brokenSuites.length > 0))
        failedHere = 1;
      summary.failed += failedHere;
    }
    summary.skipReasons = [...reasons].sort(([a], [b]) => a.localeCompare(b));
    const file = process.env.MILLRACE_TEST_SUMMARY;
    if (file !== undefined) writeFileSync(file, JSON.stringify(summary));
  }
}

function crashOf({ message, cause }) {
  const [, signal, file] = ENGINE_CRASH.exec(`${message}\n${cause?.message}`) ?? [];
  return file === undefined ? undefined : { signal, file };
}

/**
 * The note of `context.skip("why")`; else the title of the skipped suite, which tells it; else the
 * test's name.
 */
function reasonOf(test, result) {
  if (result.state === "skipped" && result.note) return result.note;
  for (let parent = test.parent; parent?.type === "suite"; parent = parent.parent) {
    if (parent.options.mode === "skip") return parent.name;
  }
  return test.fullName;
}
