/**
 * The image is to be at most 200 MB. A registry says what the base is, so a machine without one
 * can't measure it; these are what the rest may be.
 */
export const IMAGE_MB = 200;
/** `debian:bookworm-slim`, unpacked. */
export const BASE_MB = 75;
/** Node without what only a debugger reads. */
export const NODE_MB = 108.5;
/** `/app`: the packages and what they depend on. */
export const APP_MB = IMAGE_MB - BASE_MB - NODE_MB;
