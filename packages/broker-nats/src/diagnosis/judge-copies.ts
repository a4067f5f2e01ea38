import type { StreamInfo } from "@nats-io/jetstream";
import { asMillraceError } from "../jetstream-errors.ts";
import { fail, type Finding, warn } from "./finding.ts";

/** So many entries behind is a replica that catches up, not one that is a moment late. */
const LAGS = 1_000;

/** What a cluster says of the replicas of one stream. Pure. */
export function judgeCopies({
  config: { name },
  cluster,
}: Pick<StreamInfo, "config" | "cluster">): readonly Finding[] {
  if (cluster === undefined || cluster === null) return [];
  const check = checkOf(name);
  const replicas = cluster.replicas ?? [];
  const names = (found: typeof replicas): string => found.map((one) => one.name).join(", ");
  const late = replicas.filter(
    (replica) => !replica.offline && (!replica.current || (replica.lag ?? 0) > LAGS),
  );
  return [
    ...(cluster.leader === undefined || cluster.leader === ""
      ? [withoutLeader(name, "has no leader")]
      : []),
    ...(late.length > 0
      ? [
          warn(
            check,
            `has replicas that are behind: ${names(late)}`,
            "Wait until they have caught up before another server is stopped.",
          ),
        ]
      : []),
  ];
}

/** So many streams are named. */
const NAMED = 3;

/** Servers that are away, each once: every stream of a cluster may have a replica there. Pure. */
export function judgeAway(
  streams: readonly Pick<StreamInfo, "config" | "cluster">[],
): readonly Finding[] {
  const lacking = new Map<string, string[]>();
  for (const { config, cluster } of streams)
    for (const { name, offline } of cluster?.replicas ?? [])
      if (offline) lacking.set(name, [...(lacking.get(name) ?? []), config.name]);
  return [...lacking].map(([server, names]) =>
    warn(
      `server ${server}`,
      names.length === 1
        ? `is away, with a replica of the stream ${names[0]}`
        : `is away, with replicas of ${names.length} streams: ${listed(names)}`,
      "Bring it back, or move its replicas to another server (nats stream cluster peer-remove): the loss of one more may stop them.",
    ),
  );
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** A stream that is there by name, and that no server describes. */
export function judgeSilence(name: string, thrown: unknown): Finding {
  const { message } = asMillraceError(thrown, "ask for it");
  return withoutLeader(name, `gives no answer. ${message}`);
}

function withoutLeader(name: string, message: string): Finding {
  return fail(
    checkOf(name),
    message,
    "Bring its servers back: with half of a stream's replicas gone, or its only one, nothing can be read or written.",
  );
}

function checkOf(stream: string): string {
  return `stream ${stream}`;
}
