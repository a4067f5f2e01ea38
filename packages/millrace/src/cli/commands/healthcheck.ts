import { oneOf, timerDuration } from "../../config/field-kinds.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { clean } from "../show/clean.ts";

export const healthcheck = command({
  name: "healthcheck",
  summary: "Ask the node on this machine whether it is well; exits 0 if so and 1 if not",
  usage: "",
  args: { min: 0, max: 0 },
  flags: {
    probe: {
      kind: oneOf("ready", "live"),
      about: "ready: it takes jobs (default). live: it is worth keeping",
    },
    timeout: { kind: timerDuration, about: "How long it may take to answer (default 3s)" },
  },
  fields: ["health"],
  examples: [
    [
      "millrace healthcheck --health-port 8086",
      "In a container: HEALTHCHECK CMD millrace healthcheck",
    ],
  ],
  async run({ flags, config }) {
    const { probe = "ready", timeout: timeoutMs = 3_000 } = flags;
    const host =
      config.healthHost === undefined ||
      config.healthHost === "0.0.0.0" ||
      config.healthHost === "::"
        ? "127.0.0.1"
        : config.healthHost;
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${config.healthPort}/${probe === "ready" ? "readyz" : "livez"}`;
    const answer = await ask(url, timeoutMs);
    return {
      json: {
        healthy: answer.healthy,
        probe,
        url,
        ...(answer.problems === undefined ? {} : { problems: answer.problems }),
      },
      text: (paint) =>
        answer.healthy
          ? `${paint("green", "healthy")}\n`
          : `${paint("red", "unhealthy")}: ${clean(answer.problems?.join("; ") ?? "", 1_000)}\n`,
      exitCode: answer.healthy ? EXIT.ok : EXIT.failed,
    };
  },
});

async function ask(
  url: string,
  timeoutMs: number,
): Promise<{ healthy: boolean; problems?: readonly string[] }> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return {
      healthy: false,
      problems: [
        `nothing answers at ${url}: ${cause instanceof Error ? cause.message : String(cause)}`,
      ],
    };
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return { healthy: true };
  const problems =
    typeof body === "object" && body !== null && "problems" in body && Array.isArray(body.problems)
      ? body.problems.map(String)
      : [`status ${response.status}`];
  return { healthy: false, problems };
}
