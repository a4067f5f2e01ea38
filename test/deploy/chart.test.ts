import { describe, expect, test } from "vitest";
import { FIELDS } from "../../packages/millrace/src/config/fields.ts";
import { stopTimeMs } from "../../packages/runtime/src/node/node-machine.ts";
import { EVERYTHING } from "./everything.ts";
import {
  helm,
  render,
  type Resource,
  schemaFaults,
  unknownFields,
  WITHOUT_HELM,
} from "./rendered.ts";

interface Deployment extends Resource {
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly topologySpreadConstraints: readonly { readonly topologyKey: string }[];
        readonly containers: readonly [
          {
            readonly env: readonly { readonly name: string; readonly value?: string }[];
            readonly securityContext: object;
            readonly volumeMounts: readonly {
              readonly name: string;
              readonly readOnly?: boolean;
            }[];
          },
        ];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

const named = (resources: readonly Resource[], kind: string, name: string): Resource => {
  const found = resources.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
};
const environment = ({ spec }: Deployment): Record<string, string | undefined> =>
  Object.fromEntries(spec.template.spec.containers[0].env.map(({ name, value }) => [name, value]));

describe.skipIf(helm === undefined)(
  helm === undefined ? `the chart: ${WITHOUT_HELM}` : "the chart",
  () => {
    test.each([
      ["as it comes", {}, ["Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"]],
      [
        "with everything",
        EVERYTHING,
        [
          ...["ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule"],
          ...["ScaledObject", "Service", "ServiceAccount", "ServiceMonitor"],
        ],
      ],
    ])("%s, is what the API takes, to the last field", async (_how, values, kinds) => {
      const resources = await render(values);
      expect([...new Set(resources.map(({ kind }) => kind))].toSorted()).toEqual(kinds);
      expect(await schemaFaults(resources)).toEqual([]);
      expect(await unknownFields(resources)).toBe("");
    });

    test("the checks find a wrong value and an unknown field", async () => {
      const [first] = (await render({})).filter(({ kind }) => kind === "Deployment");
      const wrong = (change: object): Resource[] => {
        const { spec, ...rest } = first as Deployment;
        return [{ ...rest, spec: { ...spec, ...change } }];
      };
      expect(await schemaFaults(wrong({ replicas: "two" }))).toHaveLength(1);
      expect(await unknownFields(wrong({ replicaz: 2 }))).toContain("replicaz");
    });

    test("a Deployment for each group, whose pods outlive the grace and are spread", async () => {
      const resources = await render(EVERYTHING);
      expect(
        resources.filter(({ kind }) => kind === "Deployment").map(({ metadata }) => metadata.name),
      ).toEqual(["fleet-images", "fleet-mail", "fleet-ui"]);
      const mail = named(resources, "Deployment", "fleet-mail") as Deployment;
      expect(mail.spec.replicas).toBe(2);
      expect(mail.spec.template.spec.terminationGracePeriodSeconds).toBe(88);
      expect(
        mail.spec.template.spec.topologySpreadConstraints.map(({ topologyKey }) => topologyKey),
      ).toEqual(["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
      expect(environment(mail)).toMatchObject({
        MILLRACE_QUEUES: "mail:10,mail-bulk:2",
        MILLRACE_GRACE: "60s",
        MILLRACE_JOBS: "jobs",
        MILLRACE_REPLICAS: "3",
      });
      expect(mail.spec.template.spec.containers[0].securityContext).toMatchObject({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
      });
      expect(
        environment(named(resources, "Deployment", "fleet-images") as Deployment),
      ).toMatchObject({
        MILLRACE_JOBS: "jobs/images.ts",
        MILLRACE_QUEUES: "images:2",
        MILLRACE_GRACE: "25s",
      });
    });

    test.each([1, 25, 60, 3_600])(
      "jobs have all of the %i s that are said, and the pod is given until the node is gone",
      async (graceSeconds) => {
        const resources = await render({ groups: { mail: { queues: { mail: 1 }, graceSeconds } } });
        const mail = named(resources, "Deployment", "fleet-mail") as Deployment;
        expect(environment(mail)["MILLRACE_GRACE"]).toBe(`${graceSeconds}s`);
        const spareMs =
          mail.spec.template.spec.terminationGracePeriodSeconds * 1_000 -
          stopTimeMs(graceSeconds * 1_000);
        expect(spareMs).toBeGreaterThanOrEqual(20_000);
        expect(spareMs).toBeLessThan(30_000);
      },
    );

    test("limits are in the environment where they are set, and nowhere else", async () => {
      const set = await render(EVERYTHING);
      const mail = environment(named(set, "Deployment", "fleet-mail") as Deployment);
      expect(mail).toMatchObject({
        MILLRACE_MAX_VALUES: "2000000",
        MILLRACE_MAX_DELAY: "400d",
        MILLRACE_JOB_MEMORY_MB: "96",
        MILLRACE_MAX_PARKED: "0",
      });
      expect(mail).not.toHaveProperty("MILLRACE_POISON_AFTER");
      const [plain] = (await render({})).filter(({ kind }) => kind === "Deployment");
      const names = Object.keys(environment(plain as Deployment));
      expect(names.filter((name) => /_MAX_|_MB$|POISON/.test(name))).toEqual([]);
    });

    test("secrets are files", async () => {
      const mail = named(await render(EVERYTHING), "Deployment", "fleet-mail") as Deployment;
      expect(environment(mail)).toMatchObject({
        MILLRACE_CREDS: "/run/secrets/millrace/nats/node.creds",
        MILLRACE_TLS_CA: "/run/secrets/millrace/tls/ca.crt",
        MILLRACE_TLS_KEY: "/run/secrets/millrace/tls/tls.key",
      });
      expect(mail.spec.template.spec.volumes).toMatchObject([
        { name: "tmp" },
        { name: "nats-auth", secret: { secretName: "nats" } },
        { name: "nats-tls", secret: { secretName: "tls" } },
      ]);
      expect(mail.spec.template.spec.containers[0].volumeMounts.slice(1)).toMatchObject([
        { name: "nats-auth", readOnly: true },
        { name: "nats-tls", readOnly: true },
      ]);
    });

    test("TLS from the first byte needs no Secret: the server's certificate may be a public one", async () => {
      const values = { "nats.tls": { handshakeFirst: true }, ui: EVERYTHING.ui };
      const resources = await render({ ...values, groups: { mail: { queues: { mail: 1 } } } });
      for (const name of ["fleet-mail", "fleet-ui"])
        expect(environment(named(resources, "Deployment", name) as Deployment)).toMatchObject({
          MILLRACE_TLS_HANDSHAKE_FIRST: "true",
        });
    });

    test("the dashboard asks for a login, is an operator to NATS, and no Service of nodes takes it for one", async () => {
      const resources = await render(EVERYTHING);
      const ui = named(resources, "Deployment", "fleet-ui") as Deployment;
      const env = environment(ui);
      expect(env).toMatchObject({
        MILLRACE_UI_USERS_FILE: "/run/secrets/millrace/ui/users",
        MILLRACE_UI_HOST: "0.0.0.0",
        MILLRACE_CREDS: "/run/secrets/millrace/nats/operator.creds",
        MILLRACE_JOB_INDEX_KEEP: "30d",
        MILLRACE_JOB_INDEX_MAX_MB: "4096",
      });
      const fields = Object.values(FIELDS).flatMap((field) => field.env ?? []);
      for (const name of Object.keys(env)) expect(fields).toContain(name);
      expect(ui.spec.template.spec.volumes).toMatchObject([
        { name: "tmp" },
        { name: "users", secret: { secretName: "people" } },
        { name: "nats-auth", secret: { secretName: "nats-operator" } },
        { name: "nats-tls" },
      ]);
      const selectors = ["fleet", "fleet-ui"].map((name) => named(resources, "Service", name).spec);
      expect(selectors).toMatchObject([
        { selector: { "app.kubernetes.io/name": "millrace" } },
        { selector: { "app.kubernetes.io/name": "millrace-ui" } },
      ]);
      expect(named(resources, "NetworkPolicy", "fleet-ui").spec).toMatchObject({
        ingress: [
          { from: EVERYTHING.ui.from, ports: [{ port: "ui" }] },
          { from: EVERYTHING.networkPolicy.metricsFrom, ports: [{ port: "ui" }] },
        ],
        egress: [{}, {}, { to: EVERYTHING.ui.index.to, ports: [{ port: 5_432 }] }],
      });
      expect(ui.spec.template.spec.containers[0].env).toContainEqual({
        name: "MILLRACE_JOB_INDEX_POSTGRES",
        valueFrom: { secretKeyRef: { name: "database", key: "url" } },
      });
      const usual = await render({});
      expect(usual.filter(({ metadata }) => metadata.name === "fleet-ui")).toEqual([]);
    });

    test("the dashboard's /tmp has room for the index that lies there, and for none that is in a database", async () => {
      const { auth, users } = EVERYTHING.ui;
      const tmpWith = async (index: object) => {
        const resources = await render({ ui: { enabled: true, auth, users, index } });
        const ui = named(resources, "Deployment", "fleet-ui") as Deployment;
        return ui.spec.template.spec.volumes[0];
      };
      for (const [index, sizeLimit] of [
        [{}, "2112Mi"],
        [{ maxMb: 256 }, "576Mi"],
        [{ secretName: "database" }, "64Mi"],
      ] as const)
        expect(await tmpWith(index)).toEqual({ name: "tmp", emptyDir: { sizeLimit } });
    });

    test("Prometheus scrapes nodes and, where it has a password, the dashboard", async () => {
      const resources = await render(EVERYTHING);
      expect(named(resources, "ServiceMonitor", "fleet-ui").spec).toMatchObject({
        selector: { matchLabels: { "app.kubernetes.io/name": "millrace-ui" } },
        endpoints: [
          {
            ...{ port: "ui", path: "/metrics" },
            authorization: { credentials: { name: "scrapes", key: "password" } },
          },
        ],
      });
      const without = await render({
        ...EVERYTHING,
        ui: { ...EVERYTHING.ui, metrics: { secretName: "" } },
      });
      const monitors = without.filter(({ kind }) => kind === "ServiceMonitor");
      expect(monitors.map(({ metadata }) => metadata.name)).toEqual(["fleet"]);
      const { ingress } = named(without, "NetworkPolicy", "fleet-ui").spec as { ingress: object[] };
      expect(ingress).toHaveLength(1);
    });

    test("KEDA counts every lane of every queue and has the number of nodes to itself", async () => {
      const resources = await render(EVERYTHING);
      expect(
        (named(resources, "Deployment", "fleet-images") as Deployment).spec,
      ).not.toHaveProperty("replicas");
      expect(named(resources, "ScaledObject", "fleet-images").spec).toMatchObject({
        scaleTargetRef: { name: "fleet-images" },
        minReplicaCount: 0,
        triggers: ["workers-high", "workers", "workers-low"].map((consumer) => ({
          type: "nats-jetstream",
          metadata: { stream: "millrace-queue-images", consumer, account: "$G" },
        })),
      });
    });

    test.each([
      [
        "two ways to authenticate",
        { "nats.auth": { secretName: "s", credsKey: "a", nkeyKey: "b" } },
      ],
      ["a secret and no key", { "nats.auth": { secretName: "s" } }],
      ["a key of no Secret", { "nats.auth": { credsKey: "node.creds" } }],
      ["a certificate's key of no Secret", { "nats.tls": { caKey: "ca.crt" } }],
      ["a dashboard's key of no Secret", { ui: { ...EVERYTHING.ui, auth: { credsKey: "a" } } }],
      [
        "a group that has the dashboard's name",
        { groups: { ui: { queues: { mail: 1 } } }, ui: EVERYTHING.ui },
      ],
      ["half a client certificate", { "nats.tls": { secretName: "s", certKey: "a" } }],
      ["a dashboard without users", { ui: { enabled: true } }],
      ["a group without queues", { groups: { mail: {} } }],
      [
        "a dashboard that Prometheus is to scrape and that lets only others in",
        { ...EVERYTHING, networkPolicy: { enabled: true, metricsFrom: [] } },
      ],
    ])("refused: %s", async (_what, values) => {
      await expect(render(values)).rejects.toThrow(
        /nats\.|groups\.|ui\.users|ui\.auth|networkPolicy\.metricsFrom/,
      );
    });
  },
);
