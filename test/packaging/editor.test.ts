import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type * as TypeScript from "../../site/node_modules/typescript/lib/typescript.d.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { installPackages } from "./installed-packages.ts";
import { HOMEPAGE } from "./packed-packages.ts";
import { succeed } from "./run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** The one with an API for editors, which the site's generator of the reference has too. */
const ts = createRequire(join(ROOT, "site/package.json"))("typescript") as typeof TypeScript;

/** What programs import, and the source that lists its exports. */
const IMPORTS: readonly (readonly [name: string, source: string])[] = [
  ["millrace", "packages/millrace/src/index.ts"],
  ["millrace/dashboard", "packages/dashboard/src/index.ts"],
  ["millrace/outbox", "packages/millrace/src/outbox/index.ts"],
  ["millrace/telemetry", "packages/millrace/src/telemetry/index.ts"],
  ["millrace/testing", "packages/millrace/src/testing/index.ts"],
  ["@millrace/testkit", "packages/testkit/src/index.ts"],
];

/** What an editor shows of a name, or of what a docstring says. */
interface Shown {
  readonly says: string;
  readonly examples: readonly string[];
}

describe("an editor in a project that has installed the packed packages", () => {
  let project: string;

  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), "millrace-editor-"));
    cleanUpLater(() => rm(dir, { recursive: true, force: true }));
    project = join(await installPackages(dir), "..");
  }, 240_000);

  test.each(IMPORTS)(
    "shows of each export of %s what its docstring says, with its examples",
    async (name, source) => {
      const written = docsOfSource(join(ROOT, source));
      const names = [...written.keys()];
      expect(names.length).toBeGreaterThan(4);
      const file = join(project, "program.ts");
      const program = names.map((one) => `import { ${one} } from "${name}";\n`);
      await writeFile(file, program.join(""));
      const service = serviceOver(file);
      const silent: string[] = [];
      for (const [at, one] of names.entries()) {
        const start = program.slice(0, at).join("").length + "import { ".length;
        const shown = shownAt(service, file, start);
        expect.soft(shown, `${name}: ${one}`).toEqual(written.get(one));
        if (shown.says === "") silent.push(one);
      }
      expect(silent).toEqual([]);
    },
    120_000,
  );

  test("shows a member's docstring where a program calls it", async () => {
    const file = join(project, "program.ts");
    const text = `import { connect } from "millrace";\nconst { cron } = await connect();\nvoid cron.add;\n`;
    await writeFile(file, text);
    const { says } = shownAt(serviceOver(file), file, text.lastIndexOf("add"));
    expect(says.length).toBeGreaterThan(20);
  });

  test("gets errors that lead to their entry on the site that the release named", async () => {
    await writeFile(
      join(project, "fails.mjs"),
      `import { connect } from "millrace";
       await connect({ nonsense: 1 }).catch((error) => console.log(error.help));`,
    );
    const said = await succeed([process.execPath, "fails.mjs"], project);
    expect(said.trim()).toBe(`${HOMEPAGE}errors.html#invalid-option`);
  });
});

/** The editor's side of the compiler, over one file and what it imports. */
function serviceOver(file: string): TypeScript.LanguageService {
  const options = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    strict: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  return ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [file],
    getScriptVersion: () => "1",
    getScriptSnapshot: (path) => {
      const text = ts.sys.readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => ROOT,
    getDefaultLibFileName: (given) => ts.getDefaultLibFilePath(given),
    fileExists: (path) => ts.sys.fileExists(path),
    readFile: (path) => ts.sys.readFile(path),
    directoryExists: (path) => ts.sys.directoryExists(path),
    realpath: (path) => ts.sys.realpath?.(path) ?? path,
  });
}

function shownAt(service: TypeScript.LanguageService, file: string, at: number): Shown {
  const info = service.getQuickInfoAtPosition(file, at);
  return {
    says: ts.displayPartsToString(info?.documentation),
    examples: (info?.tags ?? [])
      .filter(({ name }) => name === "example")
      .map(({ text }) => ts.displayPartsToString(text)),
  };
}

/** Each name that a source file exports, with its docstring. */
function docsOfSource(file: string): ReadonlyMap<string, Shown> {
  const program = serviceOver(file).getProgram();
  const checker = program?.getTypeChecker();
  const module = checker?.getSymbolAtLocation(program?.getSourceFile(file) as never);
  if (checker === undefined || module === undefined) throw new Error(`${file} exports nothing`);
  const docsOf = (name: TypeScript.Symbol): Shown => {
    const meant = (name.flags & ts.SymbolFlags.Alias) === 0 ? name : checker.getAliasedSymbol(name);
    return {
      says: ts.displayPartsToString(meant.getDocumentationComment(checker)),
      examples: meant
        .getJsDocTags(checker)
        .filter(({ name: tag }) => tag === "example")
        .map(({ text }) => ts.displayPartsToString(text)),
    };
  };
  return new Map(checker.getExportsOfModule(module).map((one) => [one.name, docsOf(one)]));
}
