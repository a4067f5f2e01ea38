import { ON_ITS_WAY_MS } from "../broker/stores/delayed-store.ts";
import type { Envelope } from "../envelope/envelope.ts";
import {
  asItStands,
  type Displaced,
  FREED_MEMORY_MS,
  isThrough,
  type StoredClaim,
  type UniqueClaim,
  type UniqueWhile,
  UNMET_MEMORY_MS,
  windowEnd,
} from "./unique-claim.ts";
import type { UniquePlan } from "./unique-plan.ts";

/** So many of the jobs that gave way are named in a claim, the latest first. */
const REPLACED_KEPT = 16;
/** So many are kept of a key, the latest. */
const DISPLACED_KEPT = 64;

/**
 * What a claim says of its job's time. However soon that is: the job may be given a later one, but
 * where it is so soon that it can't. A window is over although its job may still wait.
 */
export function dueOf(
  notBefore: number | undefined,
  during: UniqueWhile | undefined,
  now: number,
): Pick<UniqueClaim, "due" | "brief"> {
  if (typeof during === "object") return { due: Math.max(now, notBefore ?? 0) };
  if (notBefore === undefined || notBefore <= now) return {};
  return notBefore - now <= ON_ITS_WAY_MS ? { due: notBefore, brief: true } : { due: notBefore };
}

/** The claim of a job that is about to be published, on a key that nobody had. */
export function freshClaim(plan: UniquePlan, envelope: Envelope): UniqueClaim {
  const { id, generation, notBefore, createdAt } = envelope;
  return {
    id,
    state: "claimed",
    ...dueOf(notBefore, plan.while, createdAt),
    ...(plan.while === undefined ? {} : { while: plan.while }),
    ...(plan.onConflict === "keep" ? {} : { replaceable: true }),
    ...(generation === 0 ? {} : { generation }),
  };
}

/**
 * The claim of a job that is brought back. For how long the key is held, the claim knows better
 * than who brings it back.
 */
export function nextLife(stored: StoredClaim, fresh: UniqueClaim): UniqueClaim {
  const { while: during, through } = stored.claim;
  const next = {
    ...fresh,
    ...(during === undefined ? {} : { while: during }),
    ...(through === undefined ? {} : { through }),
  };
  return withDisplaced(next, remembered(stored, { came: true }));
}

/** What a claim takes over from the one in whose place it comes. */
export function successor(
  fresh: UniqueClaim,
  by: StoredClaim,
  { debounces, now }: { readonly debounces: boolean; readonly now: number },
): UniqueClaim {
  const { claim, since } = by;
  const { contested = since, through } = claim;
  const carried = { ...fresh, ...(through === undefined ? {} : { through }) };
  // The new one replaces nobody: whoever gave way did so to the one that was let through.
  if (isThrough(claim, claim.id)) return withDisplaced(carried, besideThrough(by));
  const next = { ...carried, replaced: givenWay(by), ...(debounces ? {} : { contested }) };
  return withDisplaced(next, handedOn(by, fresh, now));
}

/**
 * What a claim has to tell that comes beside a job which was let through. If that one is there,
 * nobody that gave way to it runs; else the key was never taken from them.
 */
function besideThrough({ claim, updatedAt }: StoredClaim): Pick<UniqueClaim, "displaced"> {
  const { id: by, displaced = [], replaced = [] } = claim;
  const known = new Map(displaced.map((one) => [one.id, one]));
  const gone = replaced.toReversed().map((id): Displaced => {
    const waits = known.get(id);
    known.delete(id);
    // It waits for no time, so there is nothing to look for.
    return waits ?? { id, by, due: updatedAt, sought: true };
  });
  return { displaced: [...known.values(), ...gone] };
}

/** The jobs that give way to a claim which takes the place of this one. */
function givenWay({ claim }: StoredClaim): readonly string[] {
  return [claim.id, ...(claim.replaced ?? [])].slice(0, REPLACED_KEPT);
}

/**
 * What the next claim of a free key has to tell of those that gave way before. By the time of the
 * last write, which certainly has passed.
 *
 * @param options.came the claim's job was there, so that no other of the key runs in its place:
 *   one in the hands of a node that died may come back
 */
export function remembered(
  { claim, updatedAt }: StoredClaim,
  { came }: { readonly came: boolean },
): Pick<UniqueClaim, "displaced"> {
  const { id: by, displaced = [], replaced = [] } = claim;
  const named = displaced.filter((one) => isRecent(one, updatedAt));
  const others = replaced.filter((id) => !displaced.some((one) => one.id === id));
  const known = { by, due: updatedAt, seen: true, sought: true } as const;
  const gone = (came ? others.toReversed() : []).map((id): Displaced => ({ id, ...known }));
  return { displaced: [...gone, ...named] };
}

/**
 * The claim of a job on a free key, with what is to be told of those before it.
 *
 * @param standing how the claim before it stood: since when its key is free, where that is known
 */
export function inPlaceOf(
  fresh: UniqueClaim,
  stored: StoredClaim,
  standing: { readonly since?: number } = {},
): UniqueClaim {
  return withDisplaced(fresh, remembered(stored, { came: hasCome(stored, standing) }));
}

/**
 * Whether the job of a claim that stands no longer was there. A window that is over doesn't tell,
 * and has all its jobs by name.
 */
function hasCome(stored: StoredClaim, { since }: { readonly since?: number }): boolean {
  return stored.claim.state === "freed" || (since !== undefined && windowEnd(stored) === undefined);
}

/** Whether a job that gave way may still come, with nothing else to say that it has. */
function isRecent(one: Displaced, now: number): boolean {
  return now <= knownUntil(one);
}

function knownUntil({ due, seen }: Displaced): number {
  return due + (seen === true ? FREED_MEMORY_MS : UNMET_MEMORY_MS);
}

/** A claim that comes in the place of another, with its jobs that wait for their time. */
export function withDisplaced(
  fresh: UniqueClaim,
  { displaced = [] }: Pick<UniqueClaim, "displaced">,
): UniqueClaim {
  const others = latestOf(displaced.filter(({ id }) => id !== fresh.id));
  const { displaced: _own, ...claim } = fresh;
  return others.length === 0 ? claim : { ...claim, displaced: others };
}

/** Those that are known for longest, in their order: who gave way just now may come any moment. */
function latestOf(displaced: readonly Displaced[]): readonly Displaced[] {
  if (displaced.length <= DISPLACED_KEPT) return displaced;
  const latest = displaced.toReversed().toSorted((a, b) => knownUntil(b) - knownUntil(a));
  const kept = new Set(latest.slice(0, DISPLACED_KEPT));
  return displaced.filter((one) => kept.has(one));
}

/**
 * Those of a claim that is displaced itself, and its own job. Who displaces a claim displaces all
 * that gave way to it.
 */
function handedOn(
  by: StoredClaim,
  fresh: UniqueClaim,
  now: number,
): Pick<UniqueClaim, "displaced"> {
  const { claim, updatedAt } = by;
  const { id, due, brief, displaced = [] } = claim;
  const { while: during } = fresh;
  const ownEnd = typeof during === "object" ? now + during.windowMs : now;
  const last = Math.max(updatedAt, ownEnd, windowEnd(by) ?? 0);
  const passed = displaced
    .filter((one) => isRecent(one, updatedAt))
    .map((one) => passedTo(one, id, { to: fresh.id, last }));
  if (due === undefined) return { displaced: passed };
  const own = { id, by: fresh.id, due: Math.max(due, last) };
  return { displaced: [...passed, brief === true ? { ...own, sought: true } : own] };
}

function passedTo(
  one: Displaced,
  from: string,
  { to, last = 0 }: { readonly to: string; readonly last?: number },
): Displaced {
  return one.by === from && one.seen === undefined
    ? { ...one, by: to, due: Math.max(one.due, last) }
    : one;
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
  const { due: _its, brief: _too, generation: _life, sequence: _place, ...rest } = others;
  const { contested: _over, ...kept } = rest;
  const back: UniqueClaim = {
    ...{ ...kept, id, since },
    ...(replaced.length === 0 ? {} : { replaced }),
    ...(own === undefined ? {} : { due: own.due }),
  };
  const passed = displaced.map((one) => passedTo(one, claim.id, { to: id }));
  return withDisplaced(back, { displaced: passed });
}

/** What the claim knows of a job that gave way, if it does. */
export function displacedIn({ displaced }: UniqueClaim, id: string): Displaced | undefined {
  return displaced?.find((one) => one.id === id);
}

/** Whether a claim says of a job that it was to give way. */
export function gaveWayIn(claim: UniqueClaim, id: string): boolean {
  return claim.replaced?.includes(id) === true || displacedIn(claim, id) !== undefined;
}

/**
 * Those that gave way to a job, and for which nobody has seen to their end. One that gave way
 * itself came later than those before it.
 */
export function displacedBy(
  { displaced = [] }: UniqueClaim,
  successor: string,
): readonly Displaced[] {
  const place = displaced.findIndex(({ id }) => id === successor);
  const own = displaced[place];
  return displaced.filter(
    ({ by, seen, sought }, at) =>
      (by === successor && (seen === undefined || sought === undefined)) ||
      (seen === undefined && at < place && by === own?.by),
  );
}

/**
 * The jobs to any of which a job gave way: the one that it names, and those between, which may have
 * been there where that one never came.
 */
export function successorsOf(
  { id: holder, displaced = [], replaced = [] }: UniqueClaim,
  id: string,
): ReadonlySet<string> {
  const place = displaced.findIndex((one) => one.id === id);
  const by = displaced[place]?.by ?? holder;
  const between = place === -1 ? [] : displaced.slice(place + 1).filter((one) => one.by === by);
  const names = by === holder ? replaced.slice(0, Math.max(0, replaced.indexOf(id))) : [];
  return new Set([by, ...names, ...between.map((one) => one.id).toReversed()]);
}

/**
 * The claim once a job was met: those that gave way to it end, whenever they are met themselves.
 * They may be looked for from then on, so that they need not wait for their time.
 */
export function successorSeen(stored: StoredClaim, successor: string, now: number): UniqueClaim {
  const { claim } = stored;
  const over = new Set(displacedBy(claim, successor));
  const displaced = (claim.displaced ?? []).map((one): Displaced =>
    over.has(one) ? { ...one, by: successor, due: Math.max(one.due, now), seen: true } : one,
  );
  const isWaiting = claim.id === successor && claim.state === "claimed";
  const state = isWaiting ? "seen" : claim.state;
  return withDisplaced({ ...asItStands(stored), state }, { displaced });
}

/**
 * The claim once some of its jobs were looked for. One that was not found may lie in its queue for
 * a while.
 *
 * @param ended those that need not be known any more
 */
export function lookedFor(
  stored: StoredClaim,
  ids: ReadonlySet<string>,
  ended: ReadonlySet<string>,
): UniqueClaim {
  const displaced = (stored.claim.displaced ?? [])
    .filter(({ id }) => !ended.has(id))
    .map((one): Displaced => (ids.has(one.id) ? { ...one, sought: true } : one));
  return withDisplaced(asItStands(stored), { displaced });
}

/** The claim without the name of a job that gave way and has ended. */
export function withoutName(stored: StoredClaim, id: string): UniqueClaim {
  const { displaced = [] } = stored.claim;
  return withDisplaced(asItStands(stored), { displaced: displaced.filter((one) => one.id !== id) });
}

/** Whether a job is still to come that has to meet the claim, or it would run. */
export function mayBeAwaited({ displaced = [] }: UniqueClaim, now: number): boolean {
  return displaced.some((one) => isRecent(one, now));
}
