#!/usr/bin/env node
import { createProject } from "./create-project.ts";

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || folder.startsWith("-") || rest.length > 0) {
  process.stderr.write("Usage: npm create millrace FOLDER\n");
  process.exitCode = 2;
} else {
  try {
    const files = createProject(folder);
    process.stdout.write(
      `Wrote ${files.length} files. Next:\n\n  cd ${folder}\n  npm install\n  npx millrace dev\n\nREADME.md says more.\n`,
    );
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
