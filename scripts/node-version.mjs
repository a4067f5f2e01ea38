// Imported first, so that an old Node says what is wrong instead of failing on a line it cannot
// read.
const major = Number(process.versions.node.split(".")[0]);
if (major < 20) {
  console.error(
    `millrace: this needs Node 20 or later to set itself up; this is ${process.versions.node}.`,
  );
  process.exit(1);
}
