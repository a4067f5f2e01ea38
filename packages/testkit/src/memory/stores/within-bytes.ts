/** The first of the jobs until they hold so many bytes: one at least. */
export function withinBytes<Job>(
  jobs: readonly Job[],
  bytes: number | undefined,
  bodyOf: (job: Job) => Uint8Array,
): readonly Job[] {
  if (bytes === undefined) return jobs;
  let held = 0;
  const end = jobs.findIndex((job) => (held += bodyOf(job).length) >= bytes);
  return end === -1 ? jobs : jobs.slice(0, end + 1);
}
