import {
  type Displaced,
  FREED_MEMORY_MS,
  isThrough,
  type StoredClaim,
  type UniqueClaim,
  type UniqueWhile,
} from "./unique-claim.ts";

/** So many of the jobs that gave way are named in a claim, the latest first. */
const REPLACED_KEPT = 16;
/** So many are kept of a key, the latest: each goes as soon as its successor was met. */
const DISPLACED_KEPT = 64;

/**
 * What a claim says of its job's time. However soon that is: the job may be given a later one. A
 * window is over although its job may still wait.
 */
export function dueOf(
  notBefore: number | undefined,
  during: UniqueWhile | undefined,
  now: number,
): Pick<UniqueClaim, "due"> {
  if (typeof during === "object") return { due: Math.max(now, notBefore ?? 0) };
  return notBefore !== undefined && notBefore > now ? { due: notBefore } : {};
}

/** What a claim takes over from the one in whose place it comes. */
export function successor(
  fresh: UniqueClaim,
  by: StoredClaim,
  { debounces }: { readonly debounces: boolean },
): UniqueClaim {
  const { claim, since } = by;
  const { replaced, contested = since, through } = claim;
  const carried = { ...fresh, ...(through === undefined ? {} : { through }) };
  // The started job keeps running: the new one only replaces jobs that gave way to it.
  if (isThrough(claim, claim.id))
    return withDisplaced({ ...carried, ...(replaced === undefined ? {} : { replaced }) }, claim);
  const next = { ...carried, replaced: givenWay(by), ...(debounces ? {} : { contested }) };
  return withDisplaced(next, handedOn(by, fresh.id));
}

/** The jobs that give way to a claim which takes the place of this one. */
function givenWay({ claim }: StoredClaim): readonly string[] {
  return [claim.id, ...(claim.replaced ?? [])].slice(0, REPLACED_KEPT);
}

/**
 * What the next claim of a free key has to tell of those that gave way before. By the time of the
 * last write, which certainly has passed.
 */
export function remembered({ claim, updatedAt }: StoredClaim): Pick<UniqueClaim, "displaced"> {
  return { displaced: (claim.displaced ?? []).filter((one) => isRecent(one, updatedAt)) };
}

function isRecent({ due }: Displaced, now: number): boolean {
  return now - due <= FREED_MEMORY_MS;
}

/** A claim that comes in the place of another, with its jobs that wait for their time. */
export function withDisplaced(
  fresh: UniqueClaim,
  { displaced = [] }: Pick<UniqueClaim, "displaced">,
): UniqueClaim {
  const others = displaced.filter(({ id }) => id !== fresh.id).slice(-DISPLACED_KEPT);
  const { displaced: _own, ...claim } = fresh;
  return others.length === 0 ? claim : { ...claim, displaced: others };
}

/**
 * Those of a claim that is displaced itself, and its own job. Who displaces a claim displaces all
 * that gave way to it.
 */
function handedOn({ claim, updatedAt }: StoredClaim, by: string): Pick<UniqueClaim, "displaced"> {
  const { id, due, displaced = [] } = claim;
  const own = due === undefined ? [] : [{ id, by, due }];
  // Nobody has looked yet for those whose successor was not met: they may have been put off.
  const others = displaced.filter((one) => one.seen === undefined || isRecent(one, updatedAt));
  return { displaced: [...others.map((one) => passedTo(one, id, by)), ...own] };
}

function passedTo(one: Displaced, from: string, to: string): Displaced {
  return one.by === from && one.seen === undefined ? { ...one, by: to } : one;
}

/**
 * The claim as the job had it that was to give way to one that never came; undefined where there
 * was none.
 */
export function givenBack({ claim, since }: StoredClaim): UniqueClaim | undefined {
  const { replaced: [id, ...replaced] = [], displaced = [], ...others } = claim;
  if (id === undefined) return undefined;
  const own = displaced.find((one) => one.id === id);
  // It gave way to one that came, and so have all behind it.
  if (own?.seen === true) return undefined;
  const { due: _its, generation: _life, sequence: _place, contested: _over, ...kept } = others;
  const back: UniqueClaim = {
    ...{ ...kept, id, since },
    ...(replaced.length === 0 ? {} : { replaced }),
    ...(own === undefined ? {} : { due: own.due }),
  };
  return withDisplaced(back, { displaced: displaced.map((one) => passedTo(one, claim.id, id)) });
}

/** What the claim knows of a job that gave way, if it does. */
export function displacedIn({ displaced }: UniqueClaim, id: string): Displaced | undefined {
  return displaced?.find((one) => one.id === id);
}

/**
 * Those that gave way to a job, and have not been ended for it. One that gave way itself came later
 * than those before it.
 */
export function displacedBy(
  { displaced = [] }: UniqueClaim,
  successor: string,
): readonly Displaced[] {
  const place = displaced.findIndex(({ id }) => id === successor);
  const own = displaced[place];
  return displaced.filter(
    ({ by, seen }, at) =>
      seen === undefined && (by === successor || (at < place && by === own?.by)),
  );
}

/**
 * The claim once a job was met. Those that gave way to it and were not found may lie in their queue
 * for a while.
 *
 * @param ended jobs that need not be known any more
 */
export function successorSeen(
  stored: StoredClaim,
  successor: string,
  { ended, now }: { readonly ended: ReadonlySet<string>; readonly now: number },
): UniqueClaim {
  const { claim, since } = stored;
  const over = new Set(displacedBy(claim, successor));
  const displaced = (claim.displaced ?? [])
    .filter((one) => !over.has(one) || !ended.has(one.id))
    .map((one): Displaced =>
      over.has(one) ? { ...one, by: successor, due: Math.max(one.due, now), seen: true } : one,
    );
  const isWaiting = claim.id === successor && claim.state === "claimed";
  return withDisplaced({ ...claim, state: isWaiting ? "seen" : claim.state, since }, { displaced });
}

/** Whether a job is still to come that has to meet the claim, or it would run. */
export function mayBeAwaited({ displaced = [] }: UniqueClaim, now: number): boolean {
  return displaced.some((one) => isRecent(one, now));
}
