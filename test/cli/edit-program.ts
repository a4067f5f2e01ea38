// Has a text edited, and prints what came of it. The editor is the environment's.
import { editText } from "../../packages/millrace/src/cli/edit-text.ts";
import { processIo } from "../../packages/millrace/src/cli/io.ts";

try {
  console.log(`edited: ${await editText(processIo(), "the payload", "job.json")}`);
} catch (error) {
  console.log(`refused: ${(error as Error).message}`);
}
