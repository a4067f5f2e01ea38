import { type BatchEnded, defineJob, fatal, type Millrace, planJob } from "millrace";

export const thumbnail = defineJob<{ image: string }>({ name: "album.thumbnail" });
export const published = defineJob<BatchEnded<{ album: string }>>({ name: "album.published" });

export const thumbnails = thumbnail.handler(({ input }) =>
  input.image.endsWith(".png") ? `${input.image}.thumb` : fatal(`${input.image} is no picture`),
);

/** Runs once, when every thumbnail of the album was made or can't be made. */
export const publishing = published.handler(({ input: { batch, input } }) => {
  const missing = batch.failed.map(({ id }) => id).join(", ");
  return `${input.album}: ${batch.succeeded} of ${batch.total}, without ${missing || "none"}`;
});

export function publishAlbum(millrace: Millrace, album: string, images: readonly string[]) {
  return millrace.batch(
    images.map((image, n) => planJob(thumbnail, { image }, { id: `${album}-${n}` })),
    { id: album, callback: { job: published, input: { album } } },
  );
}
