// Parses a command's arguments by its specification; unknown ones print the usage line and exit with 2.
import { parseArgs } from "node:util";
import { didYouMean } from "../../kit/text/nearest.js";

export interface OptionSpec {
  readonly help: string;
  /** The name of the value in the usage, e.g. `FILE`; left out: a flag without a value. */
  readonly value?: string;
  readonly short?: string;
  /** May be repeated. */
  readonly multiple?: boolean;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** The arguments after the command's name, as the usage line shows them. */
  readonly synopsis: string;
  readonly minPositionals: number;
  readonly maxPositionals: number;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** More paragraphs of `linchpin help COMMAND`. */
  readonly details?: string;
}

/** The command line is invalid. The CLI prints the sentence and the usage line, and exits with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface Arguments {
  readonly positionals: readonly string[];
  /** The value of an option that takes one. */
  value(name: string): string | undefined;
  /** Every value of a repeatable option. */
  values(name: string): readonly string[];
  /** True if the flag was given. */
  flag(name: string): boolean;
}

/** `usage: linchpin check [FILE]` */
export function usageLine(spec: CommandSpec): string {
  return `usage: linchpin ${spec.name}${spec.synopsis === "" ? "" : ` ${spec.synopsis}`}`;
}

/** Throws a UsageError for arguments outside the specification. */
export function readArguments(spec: CommandSpec, args: readonly string[]): Arguments {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const [name, option] of Object.entries(spec.options)) {
    options[name] = {
      type: option.value === undefined ? "boolean" : "string",
      ...(option.short === undefined ? {} : { short: option.short }),
    };
  }
  // Not strict: its messages do not name the command, and have no "did you mean".
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const positionals: string[] = [];
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(spec.options, token.name) ? spec.options[token.name] : undefined;
    if (option === undefined) {
      const known = Object.keys(spec.options).map((name) => `--${name}`);
      throw new UsageError(`unknown option ${token.rawName}${didYouMean(token.rawName, known)}`);
    }
    const values = given.get(token.name) ?? [];
    if (values.length === 1 && option.multiple !== true)
      throw new UsageError(`${token.rawName} is given twice`);
    given.set(token.name, [...values, optionValue(token, option)]);
  }
  if (positionals.length < spec.minPositionals) throw new UsageError("an argument is missing");
  const extra = positionals[spec.maxPositionals];
  if (extra !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(extra)}`);
  return {
    positionals,
    value: (name) => given.get(name)?.[0],
    values: (name) => given.get(name) ?? [],
    flag: (name) => given.has(name),
  };
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function optionValue(token: OptionToken, option: OptionSpec): string {
  if (option.value === undefined) {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    return "";
  }
  const looksLikeOption = token.inlineValue !== true && token.value !== undefined && /^-./.test(token.value);
  if (token.value === undefined || looksLikeOption) {
    throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${option.value}`);
  }
  if (token.value === "") throw new UsageError(`${token.rawName} needs a value that is not empty`);
  return token.value;
}
