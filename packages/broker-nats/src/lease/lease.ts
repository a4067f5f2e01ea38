declare const lease: unique symbol;
/** Names one registration; a slot's later tenants have other names. */
export type LeaseId = number & { readonly [lease]: true };
