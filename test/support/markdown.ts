// The fenced code blocks of a Markdown file.

export interface Block {
  /** Of its first line of text, from 1. */
  readonly line: number;
  /** The first word after the fence; "" for none. */
  readonly language: string;
  readonly text: string;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; language: string; indent: number; lines: string[] } | undefined;
  for (const [i, line] of markdown.split("\n").entries()) {
    const fence = /^( *)```(\S*)/.exec(line);
    if (fence === null) open?.lines.push(line.slice(open.indent));
    else if (open === undefined)
      open = { line: i + 2, language: fence[2] ?? "", indent: (fence[1] ?? "").length, lines: [] };
    else {
      blocks.push({ line: open.line, language: open.language, text: open.lines.join("\n") });
      open = undefined;
    }
  }
  return blocks;
}

/** A command, and what is printed by it where the document shows that. */
export interface Shown {
  readonly command: string;
  readonly output: string | undefined;
}

/**
 * The commands of a block, each on a line of its own or on several that end with a backslash. Where a block has prompts,
 * `$ `, what follows a command is its output.
 */
export function commandsOf({ text }: Block): Shown[] {
  const prompted = /^\$ /m.test(text);
  const commands: { command: string; output: string | undefined }[] = [];
  let open: string | undefined;
  for (const line of text.split("\n")) {
    const last = commands.at(-1);
    if (open !== undefined || !prompted || line.startsWith("$ ")) {
      const part = prompted && open === undefined ? line.slice(2) : line;
      open = `${open === undefined ? "" : `${open}\n`}${part}`;
      if (open.endsWith("\\")) continue;
      const command = open.replace(/ +# .*$/, "").trim();
      open = undefined;
      if (command !== "" && !command.startsWith("#")) commands.push({ command, output: undefined });
    } else if (last !== undefined) {
      last.output = last.output === undefined ? line : `${last.output}\n${line}`;
    }
  }
  return commands;
}

/** Whether an output is what a document shows; `…` there stands for anything, spaces at the ends of lines for nothing. */
export function fits(shown: string, actual: string): boolean {
  const pattern = tidy(shown).split("…").map(literally).join("[^]*?");
  return new RegExp(`^${pattern}$`).test(tidy(actual));
}

function tidy(text: string): string {
  return text.replace(/[ \t\r]+$/gm, "").trim();
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
