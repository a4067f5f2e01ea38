/** What the project needs besides the code of the tutorial, by file name. */
export function projectFiles(name: string, version: string): Readonly<Record<string, string>> {
  return {
    "package.json": json({
      name,
      version: "0.0.0",
      private: true,
      type: "module",
      engines: { node: ">=22.18" },
      scripts: {
        dev: "millrace dev",
        worker: "node worker.ts",
        enqueue: "node enqueue.ts",
        test: "node --test",
        typecheck: "tsc",
      },
      dependencies: { millrace: version },
      devDependencies: { "@types/node": "^24.0.0", typescript: "^7.0.0" },
    }),
    "tsconfig.json": json({
      compilerOptions: {
        module: "nodenext",
        target: "es2024",
        lib: ["es2024", "esnext.disposable"],
        types: ["node"],
        strict: true,
        noEmit: true,
        // Node runs the files as they are: imports name them, and only types are there to be
        // stripped.
        allowImportingTsExtensions: true,
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
        skipLibCheck: true,
      },
      include: ["*.ts"],
    }),
    ".gitignore": "node_modules/\n.millrace/\n",
    ".dockerignore": "node_modules\n.millrace\n.git\n",
    "README.md": README.replace("NAME", name),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

const README = `# NAME

Background jobs with [Millrace](https://www.npmjs.com/package/millrace).

\`\`\`sh
npm install
npm run dev              # a NATS server for development, and a dashboard
npm run worker           # in a second terminal
npm run enqueue -- ada   # in a third one
npm test                 # needs no server
\`\`\`

| file              | what it is                                                              |
| ----------------- | ----------------------------------------------------------------------- |
| \`jobs.ts\`         | the definition of a job: what a producer needs to know                  |
| \`send-welcome.ts\` | its handler, which fails at the first attempt, so that a retry is seen  |
| \`worker.ts\`       | runs the handler                                                        |
| \`enqueue.ts\`      | enqueues a job and waits for its result                                 |
| \`welcome-test.ts\` | a test without a server                                                 |
| \`Containerfile\`   | the worker in a container                                               |
| \`compose.yaml\`    | the worker beside a NATS server: \`docker compose up --build\`            |

\`npx millrace docs tutorial\` explains each of them.
`;
