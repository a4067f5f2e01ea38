/** The image is to be at most 200 MB; the others are what its parts may be, each tested alone. */
export const IMAGE_MB = 200;
/** `debian:bookworm-slim`, unpacked: 74.5 to 75. */
const BASE_MB = 75;
/** Node without what only a debugger reads. */
export const NODE_MB = 108.5;
/** `/app`: the packages and what they depend on. */
export const APP_MB = IMAGE_MB - BASE_MB - NODE_MB;
