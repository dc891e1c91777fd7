// A schema after reading: bytes and flat tables, so that a thread can transfer it without a copy of every descriptor.
// registry.ts makes descriptors of it on demand.

/** Of a symbol. A map's entries are messages that have no name of their own in a .proto file. */
export const SymbolKind = { MESSAGE: 1, ENUM: 2, SERVICE: 3, EXTENSION: 4, MAP_ENTRY: 5 } as const;

/** Can be sent to another thread. The bytes may be in memory that threads share. */
export interface SchemaTables {
  /** Names of the files, as imports have them. */
  readonly fileNames: readonly string[];
  /** FileDescriptorProto bytes of each file, as learned. */
  readonly fileBytes: readonly Uint8Array[];
  /** Of each file: its package, and its edition (google.protobuf.Edition). */
  readonly packages: readonly string[];
  readonly editions: Uint16Array;
  /**
   * Names that each file imports, joined by newlines: thousands of lists would take a thread's start longer than
   * everything else.
   */
  readonly imports: readonly string[];
  /** Indexes of the files that declare what each file uses: one list after the other, and where each ends (`needsOf`). */
  readonly needs: Uint32Array;
  readonly needsEnds: Uint32Array;
  /** Full names of all symbols, joined by newlines: one text is sent faster than many. In the order of the files. */
  readonly symbols: string;
  /**
   * For each symbol: its SymbolKind, the index of its file, and start and end of the enclosing top-level declaration's
   * bytes.
   */
  readonly kinds: Uint8Array;
  readonly files: Uint32Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Of each extension: its index among the symbols, the full name of the message it extends, its number. */
  readonly extensions: readonly (readonly [symbol: number, extendee: string, number: number])[];
  /** Full names of the services to route, sorted. */
  readonly services: readonly string[];
  /** Services that the source lists and nothing usable describes. */
  readonly undescribed: readonly string[];
  /** A method of `services` carries a google.api.http rule. */
  readonly hasHttpRules: boolean;
  /** A file of `services` was made by protobufjs, which drops rules, comments and imports. */
  readonly isOfProtobufjs: boolean;
  /** Hexadecimal; changes only when the content does, whatever the order of the files. */
  readonly hash: string;
  readonly warnings: readonly string[];
}

/** Indexes of the files that declare what a file uses. */
export function needsOf({ needs, needsEnds }: SchemaTables, file: number): Uint32Array {
  return needs.subarray(needsEnds[file - 1] ?? 0, needsEnds[file] ?? 0);
}

/** Names that a file imports. */
export function importsOf({ imports }: SchemaTables, file: number): readonly string[] {
  const names = imports[file] ?? "";
  return names === "" ? [] : names.split("\n");
}

/** Indexes of all files, each after its dependencies, except in cycles. */
export function inOrder(tables: SchemaTables): number[] {
  const { fileNames } = tables;
  const order: number[] = [];
  const seen = new Uint8Array(fileNames.length);
  for (const root of fileNames.keys()) {
    if (seen[root] === 1) continue;
    // A stack of our own: a chain of imports may be longer than the call stack is deep.
    const path = [{ file: root, next: 0 }];
    seen[root] = 1;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const needed = needsOf(tables, top.file)[top.next++];
      if (needed === undefined) {
        order.push(top.file);
        path.pop();
      } else if (seen[needed] !== 1) {
        seen[needed] = 1;
        path.push({ file: needed, next: 0 });
      }
    }
  }
  return order;
}
