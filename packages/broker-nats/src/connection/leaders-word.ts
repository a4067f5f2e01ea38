import type { Clock } from "@millrace/core";
import type { Msg } from "@nats-io/nats-core";

/** Questions for a stream or a consumer, which its leader alone should answer. */
const DESCRIBES = /^\$JS\.API\.(?:STREAM|CONSUMER)\.INFO\./;

/** Where the part of an answer begins that names the members: a quote within a value is escaped. */
const CLUSTER = ',"cluster":{';
const CONFIG = '"config":{';
/** That part comes last, after what may be a long list of subjects. */
const TAIL = 16 * 1_024;
/** A member begins for no longer (`lostQuorumInterval` in the server's raft.go, and a second). */
const BEGINS_MS = 11_000;
/** What was answered so long ago says nothing about now. */
const FORGOTTEN_MS = 60_000;

interface Members {
  readonly leader?: string;
  readonly replicas?: readonly { readonly name?: string }[];
}

/**
 * Tells a leader's description of a stream or a consumer, in which everything is that was
 * confirmed, from that of another member. For ten seconds from its start, the member that was to
 * lead a stream first answers from what it had on its disk, whoever leads meanwhile; so does one
 * that finds no leader (`jsStreamInfoRequest` and `jsConsumerInfoRequest` in the server's
 * jetstream_api.go, from 2.10 to 2.15 at least). A leader doesn't count itself among the replicas;
 * any other member names it there, or knows of none. A server that has just started names itself,
 * and no replica of a stream that has some. If that lasts, all others were removed from the stream,
 * and it is the leader. A member that has no part in a consumer yet names nobody.
 *
 * @returns of one connection: whether an answer to a question on this subject stands. An error is
 *   nobody's description, and stands.
 */
export function leadersWord(
  clock: Pick<Clock, "monotonic">,
): (subject: string, reply: Msg) => boolean {
  /** Members name each other, and a server that is alone, be it reached through others, nobody. */
  let areMembers = false;
  /** By subject: since when a member has named itself alone, and when it did so last. */
  const alone = new Map<string, { readonly since: number; readonly last: number }>();
  const staysAlone = (subject: string): boolean => {
    const now = clock.monotonic();
    const { since = now, last = now } = alone.get(subject) ?? {};
    const begun = now - last > FORGOTTEN_MS ? now : since;
    alone.set(subject, { since: begun, last: now });
    return now - begun > BEGINS_MS;
  };
  return (subject, { data }) => {
    if (!DESCRIBES.test(subject)) return true;
    const tail = textOf(data.subarray(-TAIL));
    const members = membersIn(tail) ?? membersIn(data.length > TAIL ? textOf(data) : "");
    if (members === undefined) return !areMembers || !textOf(data).includes(CONFIG);
    areMembers = true;
    const { leader = "", replicas = [] } = members;
    if (replicas.length === 0 && hasReplicas(data)) return staysAlone(subject);
    alone.delete(subject);
    return leader !== "" && !replicas.some(({ name }) => name === leader);
  };
}

/** By its configuration, which comes before all else that has a number of replicas. */
function hasReplicas(data: Uint8Array): boolean {
  const [, count = "1"] = /"num_replicas":(\d+)/.exec(textOf(data)) ?? [];
  return Number(count) > 1;
}

function membersIn(text: string): Members | undefined {
  const at = text.lastIndexOf(CLUSTER);
  if (at < 0) return undefined;
  // What follows is the rest of the outermost object.
  return (JSON.parse(`{${text.slice(at + 1)}`) as { readonly cluster: Members }).cluster;
}

function textOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
}
