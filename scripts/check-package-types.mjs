// Asks `attw` (Are the types wrong?) about packed packages: whether what TypeScript finds by each
// path of `exports` is what Node finds there. The packages are ESM only, so what they are to
// `require` and to the resolution of Node 10 is left out, as attw's profile `esm-only` does.
//
// Usage: node scripts/check-package-types.mjs TARBALL...
//
// Its library is used, not its command: the command adds a terminal's drawings and nothing else.
import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";

const LEFT_OUT = new Set(["node10", "node16-cjs"]);
const tarballs = process.argv.slice(2);
if (tarballs.length === 0) {
  console.error("usage: node scripts/check-package-types.mjs TARBALL...");
  process.exit(2);
}
let complaints = 0;
for (const tarball of tarballs) {
  const data = Uint8Array.from(readFileSync(tarball));
  const judged = await checkPackage(createPackageFromTarballData(data));
  if (judged.types === false) complain(judged.packageName, { kind: "Untyped" });
  else
    for (const problem of judged.problems)
      if (!LEFT_OUT.has(problem.resolutionKind ?? problem.resolutionOption))
        complain(judged.packageName, problem);
}
process.exit(complaints > 0 ? 1 : 0);

function complain(name, { kind, ...where }) {
  complaints += 1;
  console.error(`${name}: attw: ${kind} ${JSON.stringify(where)}`);
}
