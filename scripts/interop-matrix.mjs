/**
 * A vitest reporter that prints which language did what against which server: the tests of
 * test/wire/matrix-cases.ts.
 */
const PREFIX = "interop: ";

export default class InteropMatrix {
  onTestRunEnd(modules) {
    const rows = new Map();
    const columns = new Set();
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        if (!test.name.startsWith(PREFIX)) continue;
        const column = test.name.slice(PREFIX.length);
        columns.add(column);
        const server = /\((nats-server [^)]*)\)$/.exec(test.parent.name)?.[1] ?? test.parent.name;
        const row = `${test.parent.parent.name} | ${server}`;
        rows.set(row, { ...rows.get(row), [column]: MARKS[test.result().state] ?? "?" });
      }
    }
    if (rows.size === 0) return;
    const names = [...columns];
    const width = Math.max(...[...rows.keys()].map((row) => row.length));
    console.log(`\n${"producer | server".padEnd(width)}  ${names.join("  ")}`);
    for (const [row, cells] of rows) {
      const line = names.map((name) => (cells[name] ?? "-").padEnd(name.length)).join("  ");
      console.log(`${row.padEnd(width)}  ${line}`);
    }
  }
}

const MARKS = { passed: "yes", failed: "FAIL", skipped: "skip" };
