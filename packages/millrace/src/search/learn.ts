import type { Cargo, News } from "./index-calls.ts";
import type { IndexedJob } from "./indexed-job.ts";
import { type JobRow, type NewRow, rowOf, withCargo, withCause } from "./index-rows.ts";

export type HeardNews = Extract<News, { readonly kind: "heard" }>;

/** What an index has to write, now that it has learnt something of a job. Nothing: it knew it. */
export type Learnt =
  /** The job, as it is known now. */
  | { readonly kind: "row"; readonly row: NewRow }
  /** The job lies in its queue anew, and is the same otherwise. */
  | { readonly kind: "arrival"; readonly arrival: number }
  /** No stream has it yet. */
  | { readonly kind: "heard"; readonly heard: HeardNews };

/**
 * What news say of a job. The order in which streams are read does not matter: the later enqueue
 * counts, and of one enqueue the later record.
 *
 * @param found what is known of its id in its queue
 */
export function learn(found: JobRow | undefined, news: News): Learnt | undefined {
  const isSame =
    found !== undefined &&
    (news.createdAt === 0 || news.createdAt === found.created_at) &&
    (news.life === found.life || news.kind === "heard" || news.kind === "cargo");
  const isLater =
    found === undefined ||
    news.createdAt > found.created_at ||
    (news.createdAt === found.created_at && news.life > found.life);
  switch (news.kind) {
    case "heard":
      if (found !== undefined && isSame) return loaded(found, news.cargo);
      return isLater ? { kind: "heard", heard: news } : undefined;
    case "cargo":
      if (news.job !== undefined) return learnLetter(found, news, news.job);
      return found !== undefined && isSame ? loaded(found, news.cargo) : undefined;
    case "record":
      return learnRecord(found, news, { isSame, isLater });
    case "arrival":
      if (found !== undefined && isSame) {
        const arrival = Math.max(found.arrival, news.position);
        return loaded({ ...found, arrival }, news.job) ?? { kind: "arrival", arrival };
      }
      return isLater ? toRow(arrived(found, news)) : undefined;
  }
}

/**
 * A letter says that its job is dead where nothing else does: its record is gone, or a retry was
 * taken back before it began, of which there is none. Mostly it does not say of which enqueue and
 * life it is.
 */
function learnLetter(
  found: JobRow | undefined,
  news: Extract<News, { readonly kind: "cargo" }>,
  job: IndexedJob,
): Learnt | undefined {
  if (found === undefined) return toRow(withCargo(rowOf(job, placeOf(news, 0, 0)), news.cargo));
  const isOfIt = news.createdAt === found.created_at && news.life === found.life;
  if (isOfIt && found.state === "queued") {
    const { record, arrival, causes, tags, payload } = found;
    const row = { ...rowOf(job, placeOf(news, record, arrival)), causes, tags, payload };
    return toRow(payload === null ? withCargo(row, news.cargo) : row);
  }
  const isSame = news.createdAt === 0 || news.createdAt === found.created_at;
  return isSame && found.state === "dead" ? loaded(found, news.cargo) : undefined;
}

function learnRecord(
  found: JobRow | undefined,
  news: Extract<News, { readonly kind: "record" }>,
  { isSame, isLater }: { readonly isSame: boolean; readonly isLater: boolean },
): Learnt | undefined {
  const isOfIt =
    found !== undefined && (news.createdAt === 0 || news.createdAt === found.created_at);
  const causes = withCause(isOfIt ? found.causes : null, news.cause?.fingerprint);
  if (found !== undefined && isSame && news.position > found.record) {
    const { created_at, tags, payload, arrival } = found;
    const row = rowOf(news.job, placeOf(news, news.position, arrival));
    return toRow({ ...row, created_at, tags, payload, causes });
  }
  if (isLater) {
    const row = rowOf(news.job, placeOf(news, news.position, 0));
    const kept = isOfIt ? { tags: found.tags, payload: found.payload } : {};
    return toRow({ ...row, ...kept, causes });
  }
  return isOfIt && causes !== found.causes ? toRow({ ...found, causes }) : undefined;
}

function arrived(
  found: JobRow | undefined,
  news: Extract<News, { readonly kind: "arrival" }>,
): NewRow {
  const row = rowOf(news.job, placeOf(news, found?.record ?? 0, news.position));
  const isNextLife = found !== undefined && found.created_at === news.createdAt;
  return { ...withCargo(row, news.job), causes: isNextLife ? found.causes : null };
}

/** What it carries, where nobody has said so yet. */
function loaded(found: JobRow, cargo: Cargo): Learnt | undefined {
  if (found.payload !== null || cargo.payload === undefined) return undefined;
  return toRow(withCargo(found, cargo));
}

function toRow(row: NewRow): Learnt {
  return { kind: "row", row };
}

function placeOf(
  { createdAt, life }: Pick<News, "createdAt" | "life">,
  record: number,
  arrival: number,
): Pick<NewRow, "created_at" | "life" | "record" | "arrival"> {
  return { created_at: createdAt, life, record, arrival };
}
