import type { Clock } from "@millrace/core";

/** Scrapers wait for ten seconds by default. */
const PATIENCE_MS = 10_000;

/**
 * Who asks while a page is made gets that page. One that is not done in time is given up, and
 * whoever asks next has a new one made.
 *
 * @returns undefined in place of a page that was given up
 * @throws what `make` throws
 */
export function sharedPage(
  make: () => Promise<string> | string,
  clock: Pick<Clock, "setTimer">,
): () => Promise<string | undefined> {
  let page: Promise<string | undefined> | undefined;
  return () =>
    (page ??= inTime((async () => make())(), clock).finally(() => {
      page = undefined;
    }));
}

async function inTime(
  page: Promise<string>,
  clock: Pick<Clock, "setTimer">,
): Promise<string | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = clock.setTimer(PATIENCE_MS, () => late.resolve(undefined));
  try {
    return await Promise.race([page, late.promise]);
  } finally {
    timer.cancel();
  }
}
