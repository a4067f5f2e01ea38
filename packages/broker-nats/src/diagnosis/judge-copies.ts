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
  const offline = replicas.filter((replica) => replica.offline);
  const late = replicas.filter(
    (replica) => !replica.offline && (!replica.current || (replica.lag ?? 0) > LAGS),
  );
  return [
    ...(cluster.leader === undefined || cluster.leader === ""
      ? [withoutLeader(name, "has no leader")]
      : []),
    ...(offline.length > 0
      ? [
          warn(
            check,
            `has replicas that are away: ${names(offline)}`,
            "Bring them back, or move the stream's replicas to other servers (nats stream cluster peer-remove): the loss of one more may stop it.",
          ),
        ]
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
