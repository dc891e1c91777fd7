// gRPC over HTTP/2 frame by frame: a service that is scripted, the hub as its users have it, and what gRPC and JSON
// clients make of the answer (grpc/doc/PROTOCOL-HTTP2.md, http-grpc-status-mapping.md).
import assert from "node:assert/strict";
import { connect as connect2, constants, type IncomingHttpHeaders } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { after, describe, test } from "node:test";
import { frameMessage } from "#src/call/messages.js";
import { Code, codeName, httpStatusOf } from "#src/call/status/status.js";
import { ErrorCode, Flag, FrameType, MAX_WINDOW_BYTES } from "#src/http2/wire/protocol.js";
import {
  data,
  type Fields,
  FrameReader,
  frame,
  goaway,
  headers,
  padded,
  rst,
  SETTINGS_ACK,
  settings,
} from "../support/frames.js";
import { until } from "../support/until.js";
import { behaviorClient, callUnary } from "./support/grpc.js";
import { http } from "./support/http.js";
import { startHub } from "./support/hub.js";
import { ROOT } from "./support/program.js";
import { startService } from "./support/service.js";

/** What the service says on a stream, as bytes of frames. */
type Answer = (id: number) => readonly Buffer[];

const GRPC: Fields = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
const status = (code: number | string, ...more: Fields): Fields => [["grpc-status", String(code)], ...more];
const EMPTY = frameMessage(Buffer.alloc(0));

/** HEADERS, DATA, trailers: a whole answer. */
function whole(id: number, trailers: Fields, body: Buffer = EMPTY, head: Fields = GRPC): Buffer[] {
  const parts = [headers(id, head)];
  for (let at = 0; at < body.length; at += 16_384) parts.push(data(id, body.subarray(at, at + 16_384)));
  return [...parts, headers(id, trailers, { end: true })];
}

/** The scripted service. `answer` when the request has ended, or, with `early`, when it has begun. */
let answer: Answer = () => [];
let early = false;
/** RST_STREAM that came, by stream. */
const resets = new Map<number, number>();

const server = createServer({ noDelay: true }, (socket) => {
  const reader = new FrameReader(true);
  socket.on("error", () => {});
  socket.write(settings([4, MAX_WINDOW_BYTES]));
  socket.on("data", (chunk: Buffer) => {
    for (const { type, flags, id, payload } of reader.read(chunk)) {
      const ends = (flags & Flag.END_STREAM) !== 0 && (type === FrameType.DATA || type === FrameType.HEADERS);
      if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0) socket.write(SETTINGS_ACK);
      else if (type === FrameType.PING && (flags & Flag.ACK) === 0)
        socket.write(frame(FrameType.PING, Flag.ACK, 0, payload));
      else if (type === FrameType.RST_STREAM) resets.set(id, payload.readUInt32BE(0));
      if (early ? type === FrameType.HEADERS : ends) for (const part of answer(id)) socket.write(part);
    }
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => server.close());
const { port } = server.address() as AddressInfo;
const hub = await startHub({ after }, [
  `scripted=127.0.0.1:${port}`,
  `--protoset=${ROOT}/generated/image.binpb`,
]);
const session = connect2(`http://${hub.address}`);
after(() => session.close());

interface Seen {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly body: Buffer;
  /** HEADERS with END_STREAM, and nothing else. */
  readonly trailersOnly: boolean;
  readonly type: string | undefined;
}

/** How a client ends its request. */
type Ending = "with its message" | "with its headers" | "with empty DATA" | "with trailers" | "never";

/** A unary call; what the client sees of its end. */
function call(ending: Ending = "with its message"): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const stream = session.request(
      {
        ":method": "POST",
        ":path": "/test.v1.BehaviorService/Unary",
        "content-type": "application/grpc",
        te: "trailers",
      },
      { endStream: ending === "with its headers", waitForTrailers: ending === "with trailers" },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-trace": "1" }));
    let head: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    let trailersOnly = false;
    const chunks: Buffer[] = [];
    stream.on("response", (fields, flags) => {
      head = fields;
      trailersOnly = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    });
    stream.on("trailers", (fields) => {
      trailers = fields;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      const fields = { ...head, ...trailers };
      const code = fields["grpc-status"];
      if (code === undefined) reject(new Error(`no grpc-status: ${JSON.stringify(fields)}`));
      else
        resolve({
          status: Number(head[":status"]),
          code: Number(code),
          message: String(fields["grpc-message"] ?? ""),
          body: Buffer.concat(chunks),
          trailersOnly,
          type: head["content-type"],
        });
    });
    if (ending === "with its headers") return;
    stream.write(EMPTY);
    if (ending === "with empty DATA") setImmediate(() => stream.end());
    else if (ending !== "never") stream.end();
  });
}

interface Wanted {
  readonly code: number;
  /** In the message for gRPC clients. */
  readonly says?: RegExp;
  readonly trailersOnly?: boolean;
  /** What a gRPC client gets, byte by byte. */
  readonly body?: Buffer;
  /** What JSON clients are told when it is not the same: they need whole messages. */
  readonly json?: { readonly code: number; readonly says?: RegExp; readonly http?: number };
}

type Row = readonly [what: string, answer: Answer, wanted: Wanted];

const http200 = (type: string): Fields => [
  [":status", "200"],
  ["content-type", type],
];
const OK: Wanted = { code: Code.OK };

const TRAILERS: readonly Row[] = [
  ["an answer", (id) => whole(id, status(0)), OK],
  [
    "an error behind a message",
    (id) => whole(id, status(9, ["grpc-message", "not%20now"])),
    { code: Code.FAILED_PRECONDITION, says: /^not%20now$/ },
  ],
  [
    "an error without a message",
    (id) => [headers(id, GRPC), headers(id, status(5), { end: true })],
    { code: Code.NOT_FOUND },
  ],
  [
    "trailers-only",
    (id) => [headers(id, [...GRPC, ...status(5, ["grpc-message", "no%20book"])], { end: true })],
    { code: Code.NOT_FOUND, says: /^no%20book$/, trailersOnly: true, json: { code: 5, says: /^no book$/ } },
  ],
  [
    "trailers-only with OK, where a message is due",
    (id) => [headers(id, [...GRPC, ...status(0)], { end: true })],
    { code: Code.OK, trailersOnly: true, json: { code: Code.INTERNAL, says: /message/ } },
  ],
  [
    "trailers-only of a proxy: no content type",
    (id) => [headers(id, [[":status", "200"], ...status(14)], { end: true })],
    { code: Code.UNAVAILABLE, trailersOnly: true },
  ],
  [
    "trailers-only of a proxy: HTTP 503, text",
    (id) => [headers(id, [[":status", "503"], ["content-type", "text/plain"], ...status(8)], { end: true })],
    { code: Code.RESOURCE_EXHAUSTED, trailersOnly: true },
  ],
  [
    "trailers-only without a grpc-status",
    (id) => [headers(id, GRPC, { end: true })],
    { code: Code.UNKNOWN, says: /without a grpc-status/, trailersOnly: true },
  ],
  [
    "no trailers",
    (id) => [headers(id, GRPC), data(id, EMPTY, true)],
    { code: Code.UNKNOWN, says: /without trailers/ },
  ],
  [
    "no trailers, and no message",
    (id) => [headers(id, GRPC), data(id, "", true)],
    { code: Code.UNKNOWN, says: /without trailers/ },
  ],
  [
    "trailers without a grpc-status",
    (id) => whole(id, [["x-trace", "1"]]),
    { code: Code.UNKNOWN, says: /no grpc-status/ },
  ],
  ["DATA behind the trailers", (id) => [...whole(id, status(0)), data(id, EMPTY)], OK],
  ["trailers, and RST_STREAM(NO_ERROR)", (id) => [...whole(id, status(0)), rst(id, 0)], OK],
  [
    "padded frames",
    (id) => [headers(id, GRPC), padded(0, 0, id, EMPTY, 9), headers(id, status(0), { end: true })],
    OK,
  ],
  [
    "interim answers first",
    (id) => [
      headers(id, [[":status", "100"]]),
      headers(id, [
        [":status", "103"],
        ["link", "</a>"],
      ]),
      ...whole(id, status(0)),
    ],
    OK,
  ],
  [
    "a header block in three frames",
    (id) => {
      const block = headers(id, status(0)).subarray(9);
      const cut = (from: number, to?: number): Buffer => block.subarray(from, to);
      return [
        headers(id, GRPC),
        data(id, EMPTY),
        frame(FrameType.HEADERS, Flag.END_STREAM, id, cut(0, 3)),
        frame(FrameType.CONTINUATION, 0, id, cut(3, 7)),
        frame(FrameType.CONTINUATION, Flag.END_HEADERS, id, cut(7)),
      ];
    },
    OK,
  ],
];

const CONTENT_TYPES: readonly Row[] = [
  ...[
    "application/grpc",
    "application/grpc+proto",
    "application/grpc;charset=utf-8",
    "application/grpc+json",
  ].map((type): Row => [`content type ${type}`, (id) => whole(id, status(0), EMPTY, http200(type)), OK]),
  ...[
    "text/html",
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpcx",
    "application/json",
  ].map(
    (type): Row => [
      `content type ${type}`,
      (id) => whole(id, status(0), EMPTY, http200(type)),
      { code: Code.UNKNOWN, says: /content-type "/, trailersOnly: true },
    ],
  ),
  [
    "no content type",
    (id) => whole(id, status(0), EMPTY, [[":status", "200"]]),
    { code: Code.UNKNOWN, says: /content-type missing/, trailersOnly: true },
  ],
];

/** http-grpc-status-mapping.md */
const HTTP_STATUSES: readonly (readonly [status: number, code: number])[] = [
  [204, Code.UNKNOWN],
  [301, Code.UNKNOWN],
  [400, Code.INTERNAL],
  [401, Code.UNAUTHENTICATED],
  [403, Code.PERMISSION_DENIED],
  [404, Code.UNIMPLEMENTED],
  [413, Code.UNKNOWN],
  [429, Code.UNAVAILABLE],
  [500, Code.UNKNOWN],
  [502, Code.UNAVAILABLE],
  [503, Code.UNAVAILABLE],
  [504, Code.UNAVAILABLE],
];
const STATUSES = HTTP_STATUSES.flatMap(([http, code]): Row[] => {
  const head: Fields = [
    [":status", String(http)],
    ["content-type", "text/html"],
  ];
  const wanted = { code, says: new RegExp(`HTTP status ${http}`), trailersOnly: true };
  return [
    [`HTTP ${http} without a body`, (id) => [headers(id, head, { end: true })], wanted],
    [`HTTP ${http} with one`, (id) => [headers(id, head), data(id, "<h1>", true)], wanted],
    // What has a status of HTTP's own and a grpc-status behind a body is no gRPC answer either.
    [`HTTP ${http} with trailers`, (id) => whole(id, status(5), EMPTY, head), wanted],
  ];
});

/** PROTOCOL-HTTP2.md, "Errors". */
const RESETS: readonly (readonly [name: string, error: number, code: number])[] = [
  ["NO_ERROR", ErrorCode.NO_ERROR, Code.INTERNAL],
  ["PROTOCOL_ERROR", ErrorCode.PROTOCOL_ERROR, Code.INTERNAL],
  ["INTERNAL_ERROR", ErrorCode.INTERNAL_ERROR, Code.INTERNAL],
  ["FLOW_CONTROL_ERROR", ErrorCode.FLOW_CONTROL_ERROR, Code.INTERNAL],
  ["SETTINGS_TIMEOUT", ErrorCode.SETTINGS_TIMEOUT, Code.INTERNAL],
  ["STREAM_CLOSED", ErrorCode.STREAM_CLOSED, Code.INTERNAL],
  ["FRAME_SIZE_ERROR", ErrorCode.FRAME_SIZE_ERROR, Code.INTERNAL],
  ["REFUSED_STREAM", ErrorCode.REFUSED_STREAM, Code.UNAVAILABLE],
  ["CANCEL", ErrorCode.CANCEL, Code.CANCELLED],
  ["COMPRESSION_ERROR", ErrorCode.COMPRESSION_ERROR, Code.INTERNAL],
  ["CONNECT_ERROR", ErrorCode.CONNECT_ERROR, Code.INTERNAL],
  ["ENHANCE_YOUR_CALM", ErrorCode.ENHANCE_YOUR_CALM, Code.RESOURCE_EXHAUSTED],
  ["INADEQUATE_SECURITY", ErrorCode.INADEQUATE_SECURITY, Code.PERMISSION_DENIED],
  ["HTTP_1_1_REQUIRED", ErrorCode.HTTP_1_1_REQUIRED, Code.INTERNAL],
  ["an error that nobody knows", 0xabcd, Code.INTERNAL],
];
const STREAM_ERRORS = RESETS.flatMap(([name, error, code]): Row[] => [
  [`RST_STREAM(${name}) first`, (id) => [rst(id, error)], { code, trailersOnly: true }],
  [`RST_STREAM(${name}) after headers`, (id) => [headers(id, GRPC), rst(id, error)], { code }],
  [
    `RST_STREAM(${name}) after a message`,
    (id) => [headers(id, GRPC), data(id, EMPTY), rst(id, error)],
    { code },
  ],
]);

const BROKEN_STREAMS: readonly Row[] = [
  ["DATA before headers", (id) => [data(id, EMPTY)], { code: Code.INTERNAL }],
  ["a second HEADERS", (id) => [headers(id, GRPC), headers(id, GRPC)], { code: Code.INTERNAL }],
  [
    "pseudo-fields in the trailers",
    (id) => whole(id, [[":status", "200"], ...status(0)]),
    { code: Code.INTERNAL },
  ],
  ["no :status", (id) => [headers(id, [["content-type", "application/grpc"]])], { code: Code.INTERNAL }],
  ["a name in upper case", (id) => [headers(id, [...GRPC, ["X-Served", "1"]])], { code: Code.INTERNAL }],
  [
    "a body shorter than its content-length",
    (id) => whole(id, status(0), EMPTY, [...GRPC, ["content-length", "6"]]),
    { code: Code.INTERNAL },
  ],
  [
    "a body longer than its content-length",
    (id) => whole(id, status(0), EMPTY, [...GRPC, ["content-length", "4"]]),
    { code: Code.INTERNAL },
  ],
  [
    "headers of 70 KB",
    (id) => {
      const big = headers(id, [
        ...GRPC,
        ...Array.from({ length: 7 }, (_, i) => [`x-${i}`, "y".repeat(10_000)] as const),
      ]);
      const block = big.subarray(9);
      const parts = [frame(FrameType.HEADERS, 0, id, block.subarray(0, 16_384))];
      for (let at = 16_384; at < block.length; at += 16_384)
        parts.push(
          frame(
            FrameType.CONTINUATION,
            at + 16_384 >= block.length ? Flag.END_HEADERS : 0,
            id,
            block.subarray(at, at + 16_384),
          ),
        );
      return parts;
    },
    { code: Code.INTERNAL, says: /larger than the limit/ },
  ],
];

/** These end the connection to the service, and with it what else is on it. */
const BROKEN_CONNECTIONS: readonly Row[] = [
  [
    "a frame that is too long",
    (id) => [frame(FrameType.DATA, 0, id, Buffer.alloc(16_385))],
    { code: Code.UNAVAILABLE },
  ],
  [
    "no HPACK",
    (id) => [frame(FrameType.HEADERS, Flag.END_HEADERS, id, "\xff\xff\xff\xff\xff\x0f")],
    { code: Code.UNAVAILABLE },
  ],
  ["a stream that never was", () => [headers(99, GRPC)], { code: Code.UNAVAILABLE }],
  [
    "GOAWAY, then an end",
    (id) => [goaway(id, ErrorCode.INTERNAL_ERROR), frame(FrameType.PING, 0, 1, "12345678")],
    { code: Code.UNAVAILABLE },
  ],
];

const message = (flag: number, length: number, body: Buffer | string = ""): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, Buffer.from(body)]);
};
/** A gRPC client gets messages as they are, and judges them itself; JSON has to be made of them. */
type Framing = readonly [
  what: string,
  body: Buffer,
  encoding: string,
  code: number,
  says: RegExp,
  http?: number,
];
const FRAMING: readonly Framing[] = [
  ["a flag of 2", message(2, 0), "identity", Code.INTERNAL, /flag 2/],
  ["a compressed one without an encoding", message(1, 2, "xx"), "identity", Code.INTERNAL, /compressed/],
  ["a compressed one in an unknown encoding", message(1, 2, "xx"), "snappy", Code.UNIMPLEMENTED, /snappy/],
  ["one that is no gzip", message(1, 2, "xx"), "gzip", Code.INTERNAL, /gzip/],
  ["half a prefix", Buffer.alloc(3), "identity", Code.INTERNAL, /cut|short|end/],
  ["half a message", message(0, 9, "xx"), "identity", Code.INTERNAL, /cut|short|end/],
  ["one of 5 MB", message(0, 5_000_000), "identity", Code.RESOURCE_EXHAUSTED, /4194304/, 502],
  ["one of 4 GB", message(0, 0xffff_ffff), "identity", Code.RESOURCE_EXHAUSTED, /4194304/, 502],
  ["two where one is due", Buffer.concat([EMPTY, EMPTY]), "identity", Code.INTERNAL, /more than one|second/],
  ["none where one is due", Buffer.alloc(0), "identity", Code.INTERNAL, /message/],
  ["one that is no protobuf", message(0, 2, "\xff\xff"), "identity", Code.INTERNAL, /./],
];
const MESSAGES = FRAMING.map(
  ([what, body, encoding, code, says, jsonStatus]): Row => [
    `message: ${what}`,
    (id) => whole(id, status(0), body, [...GRPC, ["grpc-encoding", encoding]]),
    { code: Code.OK, body, json: { code, says, ...(jsonStatus === undefined ? {} : { http: jsonStatus }) } },
  ],
);

const literally = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
const GRPC_MESSAGES: readonly (readonly [sent: string, read: string, forwarded?: string])[] = [
  ["plain", "plain"],
  ["100%25 %C3%BC %F0%9F%93%9A", "100% ü 📚"],
  ["%zz 50%", "%zz 50%"],
  ["raw \u00c3\u00bc", "raw ü"],
  ["line%0Abreak%00", "line\nbreak\0"],
  // gRPC leaves spaces as they are, HTTP/2 allows none at the ends of a value (RFC 9113 §8.2.1).
  ["not found:  ", "not found:  ", "not found:%20%20"],
  [" a b ", " a b ", "%20a b%20"],
  ["  ", "  ", "%20%20"],
];
const PERCENT = GRPC_MESSAGES.flatMap(([sent, read, forwarded = sent]): Row[] => {
  const wanted: Wanted = {
    code: Code.ABORTED,
    says: new RegExp(`^${literally(forwarded)}$`),
    json: { code: Code.ABORTED, says: new RegExp(`^${literally(read)}$`) },
  };
  return [
    [
      `grpc-message ${JSON.stringify(sent)} in trailers`,
      (id) => whole(id, status(10, ["grpc-message", sent])),
      wanted,
    ],
    [
      `grpc-message ${JSON.stringify(sent)} in trailers-only`,
      (id) => [headers(id, [...GRPC, ...status(10, ["grpc-message", sent])], { end: true })],
      { ...wanted, trailersOnly: true },
    ],
  ];
});

for (const [what, rows] of Object.entries({
  "a service's trailers": TRAILERS,
  "a service's content type": CONTENT_TYPES,
  "a service's HTTP status": STATUSES,
  "a service's reset": STREAM_ERRORS,
  "a service that breaks HTTP/2 on a stream": BROKEN_STREAMS,
  "a service that breaks its connection": BROKEN_CONNECTIONS,
  "a service's messages": MESSAGES,
  "a service's grpc-message": PERCENT,
}))
  describe(what, () => {
    for (const [name, script, wanted] of rows)
      test(`${name}: ${codeName(wanted.code)}`, async () => {
        answer = script;
        early = false;
        const seen = await call();
        assert.equal(seen.status, 200);
        assert.equal(codeName(seen.code), codeName(wanted.code), seen.message);
        if (wanted.says !== undefined) assert.match(seen.message, wanted.says);
        if (wanted.trailersOnly !== undefined) assert.equal(seen.trailersOnly, wanted.trailersOnly);
        if (wanted.body !== undefined) assert.deepEqual(seen.body, wanted.body);
        assert.match(seen.type ?? "", /^application\/grpc($|\+(?!web)|;)/);

        const json = await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
        const code = wanted.json?.code ?? wanted.code;
        assert.equal(json.status, wanted.json?.http ?? httpStatusOf(code), json.text);
        if (code === Code.OK) return;
        const body = json.json();
        assert.ok(typeof body === "object" && body !== null && "code" in body && "message" in body);
        assert.equal(body.code, code, json.text);
        if (wanted.json?.says !== undefined) assert.match(String(body.message), wanted.json.says);
      });
  });

describe("a client ends its request", () => {
  for (const ending of ["with its message", "with its headers", "with empty DATA", "with trailers"] as const)
    test(`${ending}, and then has its answer`, async () => {
      early = false;
      answer = (id) => whole(id, status(0));
      assert.equal((await call(ending)).code, Code.OK);
    });
});

describe("a service answers while the request continues", () => {
  const ways: readonly (readonly [what: string, answer: Answer, code: number, trailersOnly: boolean])[] = [
    ["whole", (id) => whole(id, status(0)), Code.OK, false],
    [
      "with an error",
      (id) => [headers(id, [...GRPC, ...status(7)], { end: true })],
      Code.PERMISSION_DENIED,
      true,
    ],
    ["with a message and an error", (id) => whole(id, status(10)), Code.ABORTED, false],
    // RFC 9113 §8.1: it wants no more of the request.
    [
      "and resets with NO_ERROR",
      (id) => [...whole(id, status(0)), rst(id, ErrorCode.NO_ERROR)],
      Code.OK,
      false,
    ],
    ["and resets with CANCEL", (id) => [...whole(id, status(0)), rst(id, ErrorCode.CANCEL)], Code.OK, false],
  ];
  for (const [what, script, code, trailersOnly] of ways)
    test(`${what}: the client has it, and neither is left with half a stream`, async () => {
      early = true;
      resets.clear();
      let stream = 0;
      answer = (id) => {
        stream = id;
        return script(id);
      };
      const seen = await call("never");
      assert.equal(seen.code, code);
      assert.equal(seen.trailersOnly, trailersOnly);
      // Unless the service did it itself, it is told that no more comes.
      if (!what.includes("resets")) await until(() => resets.has(stream), "the reset of the request");
      early = false;
      answer = (id) => whole(id, status(0));
      assert.equal((await call()).code, Code.OK, "the next call on the same connections");
    });
});

test("a message that is not buffered has no size limit: 16 MB pass to a gRPC client", async () => {
  const { address } = await startService({ after }, "behavior");
  const { address: through } = await startHub({ after }, [`behavior=${address}`]);
  const client = behaviorClient({ after }, through);
  const { code, messages } = await callUnary(client, { behavior: { responseBytes: 16 << 20 } });
  assert.equal(code, Code.OK);
  assert.equal(messages[0]?.payload.length, 16 << 20);
});
