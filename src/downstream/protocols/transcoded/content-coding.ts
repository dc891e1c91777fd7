// Compressed bodies of plain HTTP (RFC 9110 §8.4): requests are decompressed as they arrive, responses compressed as
// the client accepts. node:zlib does both, in its threads.

import type { Transform } from "node:stream";
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
  deflate,
  gzip,
} from "node:zlib";

import { packedForm } from "../../../kit/packed-forms.js";

export type Coding = "gzip" | "deflate" | "br";

/** In the order of preference: best compression for its time first. */
const CODINGS: readonly Coding[] = ["br", "gzip", "deflate"];
/** For Accept-Encoding of a 415 (RFC 9110 §15.5.16). */
export const CODINGS_TEXT = "gzip, deflate, br";

/** Levels for dynamic responses: a fifth of the highest levels' time, for nearly their size. */
const LEVEL = 5;
const BROTLI_QUALITY = 4;

/** The coding of a request's Content-Encoding; `identity` if missing, undefined if unsupported. */
export function requestCoding(contentEncoding: string | undefined): Coding | "identity" | undefined {
  const name = contentEncoding?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return "identity";
  const plain = name === "x-gzip" ? "gzip" : name;
  return CODINGS.find((coding) => coding === plain);
}

export function decoderOf(coding: Coding): Transform {
  if (coding === "gzip") return createGunzip();
  return coding === "deflate" ? createInflate() : createBrotliDecompress();
}

/** Compresses pieces as they arrive, each flushed, so that the client can read each at once. */
export function encoderOf(coding: Coding): Transform {
  if (coding === "br") {
    const { BROTLI_OPERATION_FLUSH: flush, BROTLI_PARAM_QUALITY } = constants;
    return createBrotliCompress({ flush, params: { [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } });
  }
  const options = { level: LEVEL, flush: constants.Z_SYNC_FLUSH };
  return coding === "gzip" ? createGzip(options) : createDeflate(options);
}

/**
 * Compresses a whole body, off the event loop, once for a body that is kept; `done` is called in a later turn, with
 * undefined if zlib failed, and must not throw.
 */
export function encodeWholeBody(
  body: Buffer,
  coding: Coding,
  done: (packed: Buffer | undefined) => void,
): void {
  const pack = () => new Promise<Buffer | undefined>((resolve) => packWhole(body, coding, resolve));
  const kept = packedForm(body, coding, pack);
  if (kept === undefined) packWhole(body, coding, done);
  else void kept.then(done);
}

function packWhole(body: Buffer, coding: Coding, done: (packed: Buffer | undefined) => void): void {
  const end = (error: Error | null, packed: Buffer): void => done(error === null ? packed : undefined);
  if (coding === "br") {
    const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants;
    const params = { [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY, [BROTLI_PARAM_SIZE_HINT]: body.length };
    brotliCompress(body, { params }, end);
  } else if (coding === "gzip") gzip(body, { level: LEVEL }, end);
  else deflate(body, { level: LEVEL }, end);
}

export interface CodingChoice {
  /** undefined: the client accepts none of ours. */
  readonly coding: Coding | undefined;
  /** identity;q=0: compress even a small body. */
  readonly must: boolean;
}

const NONE: CodingChoice = { coding: undefined, must: false };

/** By Accept-Encoding (RFC 9110 §12.5.3). */
export function responseCoding(acceptEncoding: string | undefined): CodingChoice {
  if (acceptEncoding === undefined || acceptEncoding === "" || acceptEncoding === "identity") return NONE;
  const qualities = new Map<string, number>();
  for (const part of acceptEncoding.split(",").slice(0, 32)) {
    const [name = "", ...parameters] = part.split(";").map((s) => s.trim().toLowerCase());
    let quality = 1;
    for (const parameter of parameters) {
      const q = /^q\s*=\s*([01](?:\.\d{0,3})?)$/.exec(parameter)?.[1];
      if (q !== undefined) quality = Math.min(1, Number(q));
    }
    if (name !== "") qualities.set(name === "x-gzip" ? "gzip" : name, quality);
  }
  const any = qualities.get("*");
  const identity = qualities.get("identity") ?? (any === 0 ? 0 : 1);
  let best: Coding | undefined;
  let bestQuality = 0;
  for (const coding of CODINGS) {
    const quality = qualities.get(coding) ?? any ?? 0;
    if (quality > bestQuality) {
      best = coding;
      bestQuality = quality;
    }
  }
  // If the client prefers the uncompressed body, it gets that.
  const named = qualities.get("identity");
  if (named !== undefined && named > bestQuality) return NONE;
  return { coding: best, must: identity === 0 };
}

/** Text types beside text/, +json and +xml: other types are compressed already, or do not shrink. */
const COMPRESSIBLE: ReadonlySet<string> = new Set([
  "application/json",
  "application/xml",
  "application/x-ndjson",
  "application/javascript",
  "application/x-protobuf",
  "application/wasm",
]);

export function isCompressible(contentType: string): boolean {
  const semicolon = contentType.indexOf(";");
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  return (
    COMPRESSIBLE.has(type) || type.startsWith("text/") || type.endsWith("+json") || type.endsWith("+xml")
  );
}
