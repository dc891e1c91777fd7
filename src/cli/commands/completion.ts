// `linchpin completion`: shell completion of commands and options, made from the table of commands.
import { type CommandSpec, readArguments, UsageError } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import type { Io } from "../terminal/io.js";

const SHELLS: Readonly<Record<string, () => string>> = { bash, zsh, fish };
const SPECS: readonly CommandSpec[] = Object.values(COMMANDS);

export async function run(args: readonly string[], io: Io): Promise<number> {
  const [shell = ""] = readArguments(COMMANDS.completion, args).positionals;
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
  if (script === undefined)
    throw new UsageError(`no completion for ${shell}: it is there for ${Object.keys(SHELLS).join(", ")}`);
  io.out(script().trimEnd());
  return 0;
}

function optionsOf({ options }: CommandSpec): string[] {
  return [...Object.keys(options).map((name) => `--${name}`), "--help"];
}

/** Options are completed after a dash; all other words as files, since targets are not known. */
function bash(): string {
  const cases = SPECS.map((spec) => `    ${spec.name}) words="${optionsOf(spec).join(" ")}" ;;`);
  return `_linchpin() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "${SPECS.map(({ name }) => name).join(" ")}" -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _linchpin linchpin
`;
}

function zsh(): string {
  const commands = SPECS.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = SPECS.map((spec) => {
    const options = Object.entries(spec.options).map(([name, { help, value }]) => {
      const described = `--${name}${value === undefined ? "" : "="}[${help.replace(/[[\]:]/g, " ")}]`;
      return quoted(value === undefined ? described : `${described}:${value}:_files`);
    });
    return `    ${spec.name}) _arguments ${[...options, quoted("*:file:_files")].join(" ")} ;;`;
  });
  return `#compdef linchpin
_linchpin() {
  local -a commands=(
${commands.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join("\n")}
  esac
}
compdef _linchpin linchpin
`;
}

function fish(): string {
  return SPECS.flatMap(({ name, summary, options }) => [
    `complete -c linchpin -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
    ...Object.entries(options).map(([option, { help, value, short }]) =>
      [
        `complete -c linchpin -n '__fish_seen_subcommand_from ${name}' -l ${option}`,
        ...(short === undefined ? [] : [`-s ${short}`]),
        ...(value === undefined ? [] : ["-r"]),
        `-d ${quoted(help)}`,
      ].join(" "),
    ),
  ]).join("\n");
}

/** In single quotes, in a way that all three shells parse alike. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}
