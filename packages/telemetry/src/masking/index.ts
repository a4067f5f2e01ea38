export {
  createMask,
  type Mask,
  mask,
  maskError,
  type MaskOptions,
  maskText,
} from "./create-mask.ts";
export { SECRET_PATTERNS } from "./patterns.ts";
export { isSecretKey } from "./secret-keys.ts";
export { MASKED, type SecretPattern } from "./secret-pattern.ts";
export { shownFilter } from "./show-filter.ts";
export {
  payloadOf,
  shownCargo,
  shownError,
  shownRecord,
  shownTags,
  shownLine,
  shownReport,
  type ShowValue,
  showValue,
} from "./show-masked.ts";
