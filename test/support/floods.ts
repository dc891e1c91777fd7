// Floods of HTTP/2: each makes a server work for nothing, and is to be cut off with GOAWAY and words that name the limit.
// Made against the engine alone (http2/attacks.test.ts) and against a hub (e2e/attacks.test.ts).
import { ErrorCode, FrameType, Setting } from "#src/http2/wire/protocol.js";
import {
  data,
  type Fields,
  frame,
  headers,
  padded,
  ping,
  REQUEST,
  rst,
  settings,
  windowUpdate,
} from "./frames.js";

/** What can be asked of the server under attack. */
export interface Requests {
  /** A request that has no answer as long as its body has not come. */
  readonly never: Fields;
  /** One whose answer is large, whole on stream 1. */
  readonly large: Buffer;
}

export interface Flood {
  readonly name: string;
  /** What is sent first. */
  readonly opening?: (requests: Requests) => Buffer;
  /** The nth piece of it; counts from 1 where there is an opening. */
  piece(n: number, requests: Requests): Buffer;
  /** In the GOAWAY; with the code ENHANCE_YOUR_CALM. */
  readonly says: RegExp;
  /** Keys of the limits that may be the one. */
  readonly limits: readonly string[];
}

const id = (n: number): number => 2 * n + 1;
const opened = ({ never }: Requests): Buffer => headers(1, never);
export const HUNGRY = settings([Setting.INITIAL_WINDOW_SIZE, 0]);

export const FLOODS: readonly Flood[] = [
  {
    name: "rapid reset",
    piece: (n, { never }) => Buffer.concat([headers(id(n), never), rst(id(n), ErrorCode.CANCEL)]),
    says: /reset before/,
    limits: ["resetBurst"],
  },
  {
    name: "rapid reset by WINDOW_UPDATE of 0 (MadeYouReset)",
    piece: (n, { never }) => Buffer.concat([headers(id(n), never), windowUpdate(id(n), 0)]),
    says: /reset before/,
    limits: ["resetBurst"],
  },
  {
    name: "rapid reset by PRIORITY of the wrong length (MadeYouReset)",
    piece: (n, { never }) =>
      Buffer.concat([headers(id(n), never), frame(FrameType.PRIORITY, 0, id(n), "1234")]),
    says: /reset before|PRIORITY/,
    limits: ["resetBurst", "priorityBurst"],
  },
  {
    name: "rapid reset by DATA behind END_STREAM (MadeYouReset)",
    piece: (n, { never }) => Buffer.concat([headers(id(n), never, { end: true }), data(id(n), "x")]),
    says: /reset before/,
    limits: ["resetBurst"],
  },
  {
    name: "rapid reset by a window that overflows (MadeYouReset)",
    piece: (n, { never }) => Buffer.concat([headers(id(n), never), windowUpdate(id(n), 0x7fffffff)]),
    says: /reset before/,
    limits: ["resetBurst"],
  },
  {
    name: "requests that break the rules of HTTP",
    piece: (n) => headers(id(n), [...REQUEST, ["connection", "close"]], { end: true }),
    says: /reset before/,
    limits: ["resetBurst"],
  },
  {
    name: "too many concurrent streams",
    piece: (n, { never }) => headers(id(n), never),
    says: /reset before/,
    limits: ["resetBurst"],
  },
  {
    name: "resets of closed streams",
    opening: (requests) => Buffer.concat([opened(requests), rst(1, ErrorCode.CANCEL)]),
    piece: () => rst(1, ErrorCode.CANCEL),
    says: /closed streams/,
    limits: ["lateBurst"],
  },
  {
    name: "HEADERS on a stream that was reset",
    opening: (requests) => Buffer.concat([opened(requests), windowUpdate(1, 0)]),
    piece: () => headers(1, [["x", "y"]], { end: true }),
    says: /closed streams/,
    limits: ["lateBurst"],
  },
  {
    name: "CONTINUATION without end",
    opening: ({ never }) => headers(1, never, { flags: 0 }),
    piece: () => frame(FrameType.CONTINUATION, 0, 1, Buffer.alloc(16_384)),
    says: /header block|CONTINUATION/,
    limits: ["maxHeaderBlock", "maxContinuations"],
  },
  {
    name: "CONTINUATION without a byte",
    opening: ({ never }) => headers(1, never, { flags: 0 }),
    piece: () => frame(FrameType.CONTINUATION, 0, 1),
    says: /CONTINUATION/,
    limits: ["maxContinuations"],
  },
  { name: "PING", piece: () => ping(), says: /PING/, limits: ["pingBurst"] },
  {
    name: "SETTINGS",
    piece: () => settings([Setting.INITIAL_WINDOW_SIZE, 1]),
    says: /SETTINGS/,
    limits: ["settingsBurst"],
  },
  {
    name: "SETTINGS of many entries",
    piece: () => settings(...Array.from({ length: 2000 }, (_, i) => [4, i] as const)),
    says: /settings in one frame/,
    limits: ["maxSettingsEntries"],
  },
  {
    name: "PRIORITY",
    piece: (n) => frame(FrameType.PRIORITY, 0, id(n), Buffer.from([0, 0, 0, 0, 1])),
    says: /PRIORITY/,
    limits: ["priorityBurst"],
  },
  {
    name: "frames of an unknown type",
    piece: () => frame(0x42, 0, 0, "what"),
    says: /unknown/,
    limits: ["priorityBurst"],
  },
  {
    name: "empty DATA",
    opening: opened,
    piece: () => data(1, ""),
    says: /without data/,
    limits: ["emptyDataBurst"],
  },
  {
    name: "DATA that is all padding",
    opening: opened,
    piece: () => padded(FrameType.DATA, 0, 1, "", 10),
    says: /without data/,
    limits: ["emptyDataBurst"],
  },
  {
    name: "WINDOW_UPDATE of the connection",
    piece: () => windowUpdate(0, 1),
    says: /WINDOW_UPDATE/,
    limits: ["windowUpdateBurst"],
  },
  {
    name: "WINDOW_UPDATE of a stream",
    opening: opened,
    piece: () => windowUpdate(1, 1),
    says: /WINDOW_UPDATE/,
    limits: ["windowUpdateBurst"],
  },
  {
    name: "a window given byte by byte",
    opening: ({ large }) => Buffer.concat([HUNGRY, large]),
    piece: () => windowUpdate(1, 1),
    says: /WINDOW_UPDATE/,
    limits: ["windowUpdateBurst"],
  },
];
