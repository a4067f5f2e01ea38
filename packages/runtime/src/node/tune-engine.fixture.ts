// A program that makes many objects in one place and keeps them all. With the argument `tuned` it
// tunes its engine first.
import { tuneEngine } from "./tune-engine.ts";

if (process.argv[2] === "tuned") tuneEngine();
const kept: { readonly place: number }[] = [];
for (let place = 0; place < 1_000_000; place += 1) kept.push({ place });
console.log(`kept ${kept.length}`);
