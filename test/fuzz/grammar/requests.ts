// Requests by their grammar, not by their bytes: what stands in one, over which protocol, and what the service may do.
import { gzipSync } from "node:zlib";
import { UnaryRequest } from "#generated/test/v1/behavior.js";
import type { Random } from "../random.js";
import { bodyOf } from "./bodies.js";
import { headersOf, mediaRange } from "./heads.js";
import { METHODS, pathOf, ROUTES } from "./paths.js";
import { onWire } from "./text.js";

export type Over = "HTTP/1.1" | "HTTP/2" | "gRPC";

export interface Asked {
  readonly over: Over;
  readonly method: string;
  /** As it goes on the wire, a byte per character; headers as well. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** The service may fail on it: it is told to, or gets a message that it cannot read. */
  readonly serviceMayFail: boolean;
}

function restOf(random: Random): Asked {
  const [method = "GET", template = "/"] = random.pick(ROUTES).split(" ");
  const chosen = random.chance(92) ? method : random.pick(METHODS);
  const body = /^(?:POST|PUT|PATCH)$/.test(chosen) || random.chance(3) ? bodyOf(random) : undefined;
  const headers = headersOf(random);
  if (body !== undefined && random.chance(85)) headers["content-type"] = body.type;
  let bytes = body?.bytes;
  if (bytes !== undefined && random.chance(8)) {
    headers["content-encoding"] = "gzip";
    bytes = random.chance(90) ? gzipSync(bytes) : bytes;
  }
  const path = pathOf(template, random);
  return {
    over: random.chance(50) ? "HTTP/1.1" : "HTTP/2",
    method: chosen,
    // What node's parser does not take is refused before its method is known, with a body that a HEAD does not expect.
    path: chosen === "HEAD" ? path.replace(/[\x80-\xff]/g, "%C3%BC").slice(0, 8_000) : path,
    headers,
    body: bytes,
    serviceMayFail: template === "/kinds/fail" || (body?.serviceMayFail ?? false),
  };
}

const RPCS = [
  ...[
    "/test.v1.BehaviorService/Unary",
    "/test.v1.BehaviorService/ServerStream",
    "/test.v1.BehaviorService/BidiStream",
  ],
  ...[
    "/test.v1.BehaviorService/ClientStream",
    "/test.v1.KindsService/Give",
    "/library.v1.LibraryService/GetBook",
  ],
  ...["/grpc.health.v1.Health/Check", "/library.v1.LibraryService/Nope", "/nope.Nope/Nope", "/", "//", "/a"],
];
const GRPC_TYPES = [
  "application/grpc",
  "application/grpc+proto",
  "application/grpc;a=b",
  "application/grpc+json",
];

function grpcOf(random: Random): Asked {
  const good = random.chance(60);
  const payload = { payload: random.bytes(random.below(3000)), behavior: { responseCount: 2 } };
  const message = good
    ? Buffer.from(UnaryRequest.encode(UnaryRequest.fromPartial(payload)).finish())
    : random.bytes(random.below(60));
  const packed = random.chance(10);
  const frame = Buffer.alloc(5);
  const sent = packed && random.chance(90) ? gzipSync(message) : message;
  frame.writeUInt8(packed ? 1 : 0, 0);
  frame.writeUInt32BE(random.chance(95) ? sent.length : random.below(1 << 20), 1);
  const path = random.chance(85) ? random.pick(RPCS) : pathOf("/{}/{}", random);
  return {
    over: "gRPC",
    method: random.chance(97) ? "POST" : random.pick(METHODS),
    path,
    headers: {
      ...headersOf(random),
      "content-type": random.chance(95) ? random.pick(GRPC_TYPES) : onWire(mediaRange(random)).trim(),
      te: "trailers",
      ...(packed ? { "grpc-encoding": random.pick(["gzip", "gzip", "deflate", "zstd"]) } : {}),
    },
    body: Buffer.concat(Array.from({ length: 1 + random.below(10) / 9 }, () => [frame, sent]).flat()),
    // What the method takes for a message is another's, or not one at all.
    serviceMayFail: true,
  };
}

/** The same seed, the same request. */
export function requestOf(random: Random): Asked {
  return random.chance(80) ? restOf(random) : grpcOf(random);
}
