import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/**
 * How one package manager installs into an empty project whose scope `@millrace` is served by a
 * registry of its own.
 */
export interface PackageManager {
  readonly name: string;
  /** The command itself, without arguments. */
  readonly command: readonly string[];
  /** Files of the project, by name. */
  files(registry: string): Readonly<Record<string, string>>;
  /** Installs `millrace` from its tarball, and what a TypeScript project has beside it. */
  install(tarball: string, others: readonly string[]): readonly string[];
}

const { packageManager } = JSON.parse(
  readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8"),
) as { readonly packageManager: string };

const npmrc = (registry: string): Readonly<Record<string, string>> => ({
  ".npmrc": `@millrace:registry=${registry}\n`,
});

export const PACKAGE_MANAGERS: readonly PackageManager[] = [
  {
    name: "npm",
    command: ["npm"],
    files: npmrc,
    install: (tarball, others) => ["install", "--no-audit", "--no-fund", tarball, ...others],
  },
  {
    name: packageManager,
    command: ["npx", "--yes", packageManager],
    files: (registry) => ({
      ...npmrc(registry),
      // Ends the search for a workspace here.
      "pnpm-workspace.yaml": "packages: []\n",
    }),
    install: (tarball, others) => ["add", tarball, ...others],
  },
  {
    name: "yarn@1.22.22",
    command: ["npx", "--yes", "yarn@1.22.22"],
    files: npmrc,
    install: (tarball, others) => ["add", "--no-progress", `file:${tarball}`, ...others],
  },
  {
    name: "yarn@4.18.1",
    command: ["npx", "--yes", "@yarnpkg/cli-dist@4.18.1"],
    files: (registry) => ({
      "yarn.lock": "",
      ".yarnrc.yml": [
        "nodeLinker: node-modules",
        "enableTelemetry: false",
        "enableImmutableInstalls: false",
        "unsafeHttpWhitelist: ['127.0.0.1']",
        `npmScopes: { millrace: { npmRegistryServer: '${registry}' } }`,
        "",
      ].join("\n"),
    }),
    install: (tarball, others) => ["add", `millrace@file:${tarball}`, ...others],
  },
];
