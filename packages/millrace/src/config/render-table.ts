import type { Field } from "./field.ts";
import { FIELD_KEYS, FIELDS } from "./fields.ts";

/** The table of `docs/configuration.md`, which a test compares with this. */
export function configurationTable(): string {
  const rows = FIELD_KEYS.map((key) => {
    const field = FIELDS[key] as Field;
    const cells = [
      `\`${key}\``,
      field.flag === undefined ? "" : `\`--${field.flag}\``,
      field.env.map((variable) => `\`${variable}\``).join(", "),
      field.default === undefined ? "" : `\`${field.kind.show(field.default)}\``,
      field.about,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| field | flag | environment | default | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}
