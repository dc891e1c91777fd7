// A span until it is exported: a plain record, so that a traced call never waits for the SDK.
import { randomFillSync } from "node:crypto";

export type AttributeValue = string | number | boolean;

export interface SpanRecord {
  readonly traceId: string;
  readonly spanId: string;
  /** undefined: the root of its trace. */
  readonly parentSpanId: string | undefined;
  /** Whether the parent is in another process. */
  readonly parentRemote: boolean;
  readonly traceState: string | undefined;
  readonly kind: "server" | "client";
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Whether the span's status is Error; undefined: it is left unset. */
  readonly error: string | undefined;
}

/** Takes finished spans. */
export interface SpanSink {
  take(span: SpanRecord): void;
}

const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let at = POOL_BYTES;

/** This many random bytes in hexadecimal; never all zeros, which no identifier may be. */
export function randomHex(bytes: 8 | 16): string {
  if (at + bytes > POOL_BYTES) {
    randomFillSync(pool);
    at = 0;
  }
  const text = pool.toString("hex", at, at + bytes);
  at += bytes;
  return /[1-9a-f]/.test(text) ? text : randomHex(bytes);
}
