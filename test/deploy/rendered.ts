import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import { findProgram, runProgram } from "./program.ts";

const ROOT = resolve(import.meta.dirname, "../..");
export const CHART = join(ROOT, "deploy/helm/millrace");

export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: unknown;
}

/** The program that renders the chart; undefined where there is none. */
export const helm = findProgram("helm", "HELM");
export const WITHOUT_HELM =
  "helm is missing: on the PATH, in HELM, or by go install helm.sh/helm/v3/cmd/helm@v3.22.0";

/** What Helm makes of these values, given as `--set-json` takes them. */
export async function render(values: Readonly<Record<string, unknown>>): Promise<Resource[]> {
  const out = await runProgram(
    helm ?? "helm",
    [
      ...["template", "fleet", CHART, "--namespace", "jobs", "--kube-version", "1.31.0"],
      ...Object.entries(values).flatMap(([key, value]) => [
        "--set-json",
        `${key}=${JSON.stringify(value)}`,
      ]),
    ],
    { timeoutMs: 30_000 },
  );
  return parseAllDocuments(out)
    .map((document) => document.toJS() as Resource | null)
    .filter((resource) => resource !== null);
}

/** The kinds that the chart makes: where their schema is, and what it is called there. */
const MODELS: Readonly<Record<string, readonly [module: string, type: string]>> = {
  "apps/v1/Deployment": ["kubernetes-models/apps/v1", "Deployment"],
  "v1/Service": ["kubernetes-models/v1", "Service"],
  "v1/ServiceAccount": ["kubernetes-models/v1", "ServiceAccount"],
  "v1/ConfigMap": ["kubernetes-models/v1", "ConfigMap"],
  "policy/v1/PodDisruptionBudget": ["kubernetes-models/policy/v1", "PodDisruptionBudget"],
  "networking.k8s.io/v1/NetworkPolicy": ["kubernetes-models/networking.k8s.io/v1", "NetworkPolicy"],
  "keda.sh/v1alpha1/ScaledObject": ["@kubernetes-models/keda/keda.sh/v1alpha1", "ScaledObject"],
  "monitoring.coreos.com/v1/ServiceMonitor": [
    "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
    "ServiceMonitor",
  ],
  "monitoring.coreos.com/v1/PrometheusRule": [
    "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
    "PrometheusRule",
  ],
};

/** What the API's own JSON schemas say against them; they let unknown fields pass. */
export async function schemaFaults(resources: readonly Resource[]): Promise<string[]> {
  const faults: string[] = [];
  for (const resource of resources) {
    const [module, type] = modelOf(resource);
    const models = (await import(module)) as Record<
      string,
      new (data: object) => { validate(): void }
    >;
    const Model = models[type];
    if (Model === undefined) throw new Error(`${module} has no ${type}`);
    try {
      new Model(resource).validate();
    } catch (error) {
      faults.push(`${resource.kind} ${resource.metadata.name}: ${String(error)}`);
    }
  }
  return faults;
}

/**
 * Fields that the API doesn't know: TypeScript refuses them in an object written out as the
 * schema's type.
 */
export async function unknownFields(resources: readonly Resource[]): Promise<string> {
  // Beside this file, where the packages of the schemas are found.
  const folder = await mkdtemp(join(import.meta.dirname, ".rendered-"));
  try {
    const lines = resources.map((resource, at) => {
      const [module, type] = modelOf(resource);
      return `import type { I${type} as T${at} } from "${module}";\nexport const r${at}: T${at} = ${JSON.stringify(resource, undefined, 1)};\n`;
    });
    await writeFile(join(folder, "rendered.ts"), lines.join(""));
    await writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          module: "esnext",
          moduleResolution: "bundler",
          target: "es2022",
          types: [],
          skipLibCheck: true,
        },
        files: ["rendered.ts"],
      }),
    );
    return await runProgram(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder], {
      timeoutMs: 60_000,
    }).catch((error: unknown) => String(error));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function modelOf({ apiVersion, kind }: Resource): readonly [module: string, type: string] {
  const model = MODELS[`${apiVersion}/${kind}`];
  if (model === undefined) throw new Error(`no schema is known for ${apiVersion} ${kind}`);
  return model;
}
