import { charging } from "./charge.ts";

/** Nobody answers there, unless you write a provider: each attempt fails, and is tried again. */
export const jobs = charging("http://127.0.0.1:8099/charges");
