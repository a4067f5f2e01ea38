import type { Field } from "../../config/field.ts";
import type { FieldKind } from "../../config/field-kinds.ts";
import { FIELDS } from "../../config/fields.ts";
import type { Command } from "../command.ts";
import { fieldsOf } from "../command-line.ts";

/** A word that can stand next, and what it is for. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What can be written after the words so far. */
export interface CompletionModel {
  /** By the words of the command so far, joined by a space: "" and the groups. */
  readonly words: ReadonlyMap<string, readonly Candidate[]>;
  /** By the command's name. */
  readonly flags: ReadonlyMap<string, readonly Candidate[]>;
  /**
   * By `<command> --flag`: what the flag takes, where that is one of a few words, or begins with
   * one. What ends with `:` goes on behind it.
   */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

const EVERYWHERE: readonly Candidate[] = [
  { word: "--json", about: "One JSON document on stdout" },
  { word: "--help", about: "What the command does" },
];

/** From the table of commands alone, so that it never lacks one. Pure. */
export function completionModel(commands: readonly Command[]): CompletionModel {
  const words = new Map<string, Candidate[]>();
  const flags = new Map<string, readonly Candidate[]>();
  const values = new Map<string, readonly string[]>();
  const offer = (after: string, word: string, about: string): void => {
    const offered = words.get(after) ?? [];
    if (!offered.some((candidate) => candidate.word === word)) offered.push({ word, about });
    words.set(after, offered);
  };
  for (const command of commands) {
    const [first = "", second] = command.name.split(" ");
    const isGroup = commands.some(({ name }) => name.startsWith(`${first} `));
    offer("", first, isGroup ? `${first} …` : command.summary);
    if (second !== undefined) offer(first, second, command.summary);
    const own = flagsOf(command);
    flags.set(command.name, [
      ...own.map(({ name, about }) => ({ word: `--${name}`, about })),
      ...EVERYWHERE,
    ]);
    for (const { name, kind } of own) {
      const choices = kind.begins ?? choicesOf(kind.placeholder);
      if (choices.length > 0) values.set(`${command.name} --${name}`, choices);
    }
  }
  return { words, flags, values };
}

interface NamedFlag {
  readonly name: string;
  readonly about: string;
  readonly kind: FieldKind<unknown>;
}

function flagsOf(command: Command): readonly NamedFlag[] {
  return [
    ...Object.entries(command.flags).map(([name, { kind, about }]) => ({
      name,
      about,
      kind,
    })),
    ...fieldsOf(command.fields).map((key) => {
      const { flag = "", about, kind } = FIELDS[key] as Field;
      return { name: flag, about, kind };
    }),
  ];
}

/** `<a|b>` is one of a few; `<ms|30s>`, with a digit, is an example of many. */
function choicesOf(placeholder: string | undefined): readonly string[] {
  const inner = /^<([a-z|-]+\|[a-z|-]+)>$/.exec(placeholder ?? "")?.[1];
  return inner === undefined ? [] : inner.split("|");
}
