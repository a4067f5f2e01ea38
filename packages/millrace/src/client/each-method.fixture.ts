/** One for each method of a thing: the compiler asks for those that have none yet. */
export type EachMethod<Of, Case> = {
  readonly [
    Name in keyof Of as Of[Name] extends (...given: never[]) => unknown
      ? Exclude<Name, symbol>
      : never
  ]-?: Case;
};
