import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { connect } from "millrace";
import { millrace, startMillrace } from "../cli/millrace.ts";
import { startChild } from "../harness/child.ts";
import { patient } from "../harness/cluster/mode.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { startOtlpSink } from "../harness/otlp-sink.ts";
import { outline } from "../harness/recorded-span.ts";
import { describeServer } from "../harness/servers.ts";
import { checkTraces } from "../harness/trace-shape.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../examples");
const DEADLINE_MS = 90_000;

/**
 * Examples that are programs of their own, traced as a user would: their nodes are told by the
 * environment where to send.
 */
describeServer("examples in processes of their own", "newest", (server) => {
  test(
    "digest: a node is killed on the way, and every trace that the other hands on is sound",
    async () => {
      outOfCluster();
      const sink = await startOtlpSink();
      const main = startChild(join(EXAMPLES, "digest/main.ts"), { env: sink.env });
      expect(await main.exit(DEADLINE_MS), main.output().join("\n")).toMatchObject({ code: 0 });
      const spans = sink.spans();
      expect(checkTraces(spans), outline(spans)).toEqual([]);
      // Its application has no telemetry: each job's first attempt begins a trace, and the failing
      // job's others hang in that.
      const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
      expect(roots.length).toBeGreaterThan(200);
      expect(new Set(roots.map(({ name }) => name))).toEqual(new Set(["process digest.file"]));
      const failed = spans.filter(({ status }) => status === "ERROR");
      expect(failed.map(({ attributes }) => attributes["job.attempt"])).toEqual([1, 2, 3]);
      expect(new Set(failed.map(({ traceId }) => traceId)).size).toBe(1);
    },
    patient(2 * DEADLINE_MS),
  );

  test(
    "millrace enqueue: the trace begins with its publish, and a missing collector keeps nothing back",
    async () => {
      const sink = await startOtlpSink();
      const namespace = server.namespace();
      const env = { MILLRACE_SERVER: server.url, MILLRACE_NAMESPACE: namespace };
      await using client = await connect({ servers: server.url, namespace, env: {} });
      await client.queues.ensure("work");
      const args = ["enqueue", "double", "1", "--queue", "work"];
      const sent = await millrace([...args, "--id", "a"], { env: { ...env, ...sink.env } });
      expect(sent, sent.err).toMatchObject({ code: 0, err: "" });
      const [span, ...more] = sink.spans();
      expect(more).toEqual([]);
      expect(span).toMatchObject({ name: "publish work", kind: "PRODUCER" });
      expect(await client.job("a")).toMatchObject({ traceId: span?.traceId });
      const nowhere = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" };
      const lost = await millrace([...args, "--id", "b"], { env: { ...env, ...nowhere } });
      expect(lost, lost.err).toMatchObject({ code: 0 });
    },
    patient(DEADLINE_MS),
  );

  test(
    "hello: the node's side of it",
    async () => {
      const sink = await startOtlpSink();
      const env = { MILLRACE_SERVER: server.url, MILLRACE_NAMESPACE: server.namespace() };
      const node = startMillrace(["run", join(EXAMPLES, "hello/hello.ts"), "--health-port", "0"], {
        ...env,
        ...sink.env,
      });
      await node.line(/^running /, DEADLINE_MS);
      const publish = startChild(join(EXAMPLES, "hello/publish.ts"), { env });
      expect(await publish.exit(DEADLINE_MS), publish.output().join("\n")).toMatchObject({
        code: 0,
      });
      node.signal("SIGTERM");
      expect(await node.exit(DEADLINE_MS)).toMatchObject({ code: 0 });
      expect(checkTraces(sink.spans()), outline(sink.spans())).toEqual([]);
    },
    patient(2 * DEADLINE_MS),
  );
});
