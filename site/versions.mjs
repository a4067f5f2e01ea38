// The versions of the site: which there are, where each lies, and what a build is told of them.
// Decides only; build-versions.mjs builds.

/** The version that main becomes. */
const NEXT = "next";
const RELEASE = /^v(\d+)\.(\d+)\.(\d+)$/;

/**
 * The versions for a repository's tags, the newest release first: of each minor version the newest
 * patch. The newest release is the site's beginning; before the first release `next` is.
 *
 * @param base where the site begins on its server: `/`, or `/millrace/`
 */
export function versionsOf(tags, base = "/") {
  const releases = tags
    .map((tag) => RELEASE.exec(tag))
    .filter((match) => match !== null)
    .map(([tag, ...numbers]) => ({ tag, numbers: numbers.map(Number) }))
    .toSorted((a, b) => compare(b.numbers, a.numbers));
  const newest = Map.groupBy(releases, ({ numbers: [major, minor] }) => `${major}.${minor}`);
  const released = [...newest].map(([name, [{ tag }]], at) => ({
    name,
    tag,
    place: at === 0 ? base : `${base}${name}/`,
  }));
  const place = released.length === 0 ? base : `${base}${NEXT}/`;
  return [...released, { name: NEXT, place }];
}

/** What one build is told: its own version, and those that its switch leads to. */
export function toldTo({ name, place }, versions) {
  const all = versions.map((version) => ({ name: version.name, place: version.place }));
  return { MILLRACE_SITE: JSON.stringify({ name, place, versions: all }) };
}

/** What this build was told. A build that was told nothing is all there is. */
export function told(env = process.env) {
  const [alone] = versionsOf([], env.MILLRACE_SITE_BASE);
  return env.MILLRACE_SITE === undefined
    ? { ...alone, versions: [alone] }
    : JSON.parse(env.MILLRACE_SITE);
}

function compare(a, b) {
  const at = a.findIndex((number, index) => number !== b[index]);
  return at === -1 ? 0 : a[at] - b[at];
}
