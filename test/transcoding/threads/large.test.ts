// Large messages are translated in threads: the same messages, the same refusals, in the same order as here, and the
// event loop goes on meanwhile.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { RestMatch } from "#src/call/rest.js";
import { Code, Status } from "#src/call/status/status.js";
import type { BodyRequest, RequestReader, ResponseWriter, Transcoding } from "#src/call/transcoding.js";
import type { Field } from "#src/kit/headers.js";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { ThreadPool } from "#src/transcoding/threads/pool.js";
import { compileProtos, encode, methodsOf, routerFor } from "../support/schema.js";
import { openBody } from "../support/translate.js";

const proto = (more = ""): string => `syntax = "proto3"; package large.v1;
  import "google/api/annotations.proto"; import "google/protobuf/any.proto";
  import "google/protobuf/field_mask.proto"; import "google/protobuf/timestamp.proto";
  message Item { string name = 1; int64 size = 2; map<string, string> labels = 3; google.protobuf.Timestamp at = 4;
    ${more} }
  message Items {
    string name = 1; repeated Item items = 2; google.protobuf.Any any = 3; int64 total = 6;
    oneof choice { string left = 4; string right = 5; }
  }
  message Change { Items items = 1; google.protobuf.FieldMask update_mask = 2; string note = 3; }
  service Large {
    rpc Make(Items) returns (Items) { option (google.api.http) = { post: "/v1/make" body: "*"
      additional_bindings { put: "/v1/put/{name}" body: "*" } additional_bindings { put: "/v1/left/{left}" body: "*" }
      additional_bindings { post: "/v1/items/{name}" body: "items" }
      additional_bindings { post: "/v1/first" body: "*" response_body: "items" } }; }
    rpc Update(Change) returns (Items) { option (google.api.http) = { patch: "/v1/{items.name=items/*}" body: "items" }; }
    rpc Chat(stream Items) returns (stream Items) { option (google.api.http) = { post: "/v1/chat" body: "*" }; }
  }`;
const registry = compileProtos({ "large/v1/large.proto": proto() });
const threads = new ThreadPool();
const built = routerFor(registry, {}, { forms: () => true, threads });

const ITEM = { name: "item “one”", size: "12345678901", labels: { a: "b" }, at: "2024-05-01T10:00:00Z" };
const MANY = Array.from({ length: 12_000 }, () => ITEM);
const MORE = [...MANY, ...MANY, ...MANY];
const LARGE = JSON.stringify({ items: MANY });
assert.ok(LARGE.length > 1024 * 1024);
const withMember = (member: string): string => `{${member},${LARGE.slice(1)}`;

type Event = Uint8Array | Status | "end";

function matchOf(request: string, router = built): RestMatch {
  const space = request.indexOf(" ");
  const match = router.router.match(request.slice(0, space), request.slice(space + 1));
  return match.kind === "miss" ? assert.fail(request) : match;
}

function open(request: string, body: Partial<BodyRequest> = {}, router = built): Transcoding {
  const init = { contentType: "application/json", ...body };
  const transcoding = openBody(matchOf(request, router), init);
  return transcoding instanceof Status ? assert.fail(transcoding.message) : transcoding;
}

interface Reading {
  readonly reader: RequestReader;
  readonly events: Event[];
  /** After `end` or a refusal. */
  readonly over: Promise<Event[]>;
}

function readingOf(transcoding: Transcoding, onMessage?: (reading: Reading) => void): Reading {
  const events: Event[] = [];
  let close = (_events: Event[]): void => {};
  const over = new Promise<Event[]>((resolve) => {
    close = resolve;
  });
  const reader = transcoding.reader({
    message: (message) => {
      events.push(message);
      onMessage?.(reading);
    },
    end: () => close([...events, "end"]),
    refuse: (status) => close([...events, status]),
    fault: (error) => {
      throw error;
    },
  });
  const reading: Reading = { reader, events, over };
  return reading;
}

function push(reader: RequestReader, body: string | Uint8Array, last: boolean): void {
  const bytes = Buffer.from(body);
  reader.push(bytes, 0, bytes.length, last);
}

async function read(request: string, body: string | Uint8Array, type?: string): Promise<Event[]> {
  const { reader, events, over } = readingOf(open(request, type === undefined ? {} : { contentType: type }));
  push(reader, body, true);
  assert.deepEqual(events, [], "nothing comes at once: it is in a thread");
  return over;
}

function jsonOf(events: readonly Event[], type = "large.v1.Items"): unknown {
  const [message, end] = events;
  if (!(message instanceof Uint8Array)) assert.fail(String(message));
  assert.equal(end, "end");
  const desc = registry.getMessage(type) ?? assert.fail();
  return JSON.parse(String(codecs.of(desc).decode(message)));
}
const codecs = new Codecs(registry);

describe("a large body", () => {
  const any = { "@type": "type.googleapis.com/large.v1.Item", name: "x" };
  const form = new URLSearchParams({ name: "x".repeat(1_200_000), total: "1" });
  const rows: [
    request: string,
    body: string | Uint8Array,
    message: object,
    type?: string | undefined,
    of?: string,
  ][] = [
    ["POST /v1/make", LARGE, { items: MANY }],
    ["POST /v1/make", withMember(`"any":${JSON.stringify(any)}`), { items: MANY, any }],
    ["PUT /v1/put/a%2Fb", LARGE, { name: "a/b", items: MANY }],
    ["PUT /v1/put/a", withMember('"name":"a"'), { name: "a", items: MANY }],
    ["POST /v1/items/a?total=3", JSON.stringify(MANY), { name: "a", items: MANY, total: "3" }],
    ["POST /v1/make", form.toString(), Object.fromEntries(form), "application/x-www-form-urlencoded"],
    [
      "POST /v1/make",
      encode(registry, "large.v1.Items", { items: MORE }),
      { items: MORE },
      "application/x-protobuf",
    ],
    [
      "PATCH /v1/items/a?note=n",
      LARGE,
      { items: { name: "items/a", items: MANY }, updateMask: "items", note: "n" },
      undefined,
      "large.v1.Change",
    ],
  ];
  for (const [request, body, message, type, of] of rows) {
    it(`${request} ${type ?? ""} becomes its message`, async () => {
      assert.deepEqual(jsonOf(await read(request, body, type), of), message);
    });
  }

  const refusals: [request: string, body: string, refusal: RegExp, http: number][] = [
    [
      "POST /v1/make",
      withMember('"nmae":1'),
      /^\$\.nmae: large.v1.Items has no field 'nmae'; did you mean 'name'/,
      400,
    ],
    ["POST /v1/make", LARGE.slice(0, -1), /not valid JSON: line 1, column 1\d{6}/, 400],
    [
      "PUT /v1/put/a",
      withMember('"name":"b"'),
      /path parameter 'name': the path has a different value than the body/,
      400,
    ],
    ["PUT /v1/left/a", withMember('"right":"b"'), /only one of 'choice'/, 400],
    ["POST /v1/items/a?total=x", JSON.stringify(MANY), /query parameter 'total'/, 400],
    ["POST /v1/items/a?items.name=x", JSON.stringify(MANY), /query parameter 'items.name'/, 400],
    [
      "POST /v1/make",
      `{"name":"${"x".repeat(5_000_000)}"}`,
      /^the message is larger than the limit of 4194304 bytes/,
      413,
    ],
  ];
  for (const [request, body, refusal, http] of refusals) {
    it(`${request} ${body.slice(0, 20)} is refused with the words for small ones`, async () => {
      const { reader, over } = readingOf(open(request));
      push(reader, body, true);
      const [status] = await over;
      if (!(status instanceof Status)) assert.fail("a message");
      assert.match(status.message, refusal);
      assert.equal(status.http, http);
      assert.ok(status.details.length > 0);
    });
  }

  it("is that of its own service where another upstream's file contradicts it", async () => {
    const own = compileProtos({ "large/v1/large.proto": proto("string colour = 9;") });
    const router = routerFor(registry, {}, { methods: methodsOf(own) });
    const { reader, over } = readingOf(open("POST /v1/make", {}, router));
    push(reader, `{"items":[{"colour":"red"}],"name":"${"x".repeat(1_100_000)}"}`, true);
    const [message] = await over;
    assert.ok(message instanceof Uint8Array, String(message));
  });

  it("leaves the event loop free", async () => {
    const { reader, over } = readingOf(open("POST /v1/make"));
    let done = false;
    let turns = 0;
    push(reader, LARGE, true);
    void over.then(() => {
      done = true;
    });
    for (; !done; turns++) await new Promise(setImmediate);
    assert.ok(turns > 10, `the event loop turned ${turns} times while the thread worked`);
  });

  it("leaves nothing behind where its call ends before", async () => {
    const { reader, over, events } = readingOf(open("POST /v1/make"));
    push(reader, LARGE, true);
    reader.stop();
    const more = Array.from({ length: 6 }, () => readingOf(open("POST /v1/make")));
    for (const one of more) push(one.reader, LARGE, true);
    for (const one of more.slice(1)) one.reader.stop();
    await more[0]?.over;
    assert.equal(threads.waiting, 0);
    assert.deepEqual(events, []);
    assert.equal(await Promise.race([over, more[3]?.over, "nothing"]), "nothing");
  });
});

describe("a stream with large messages in it", () => {
  const names = (events: readonly Event[]): string[] =>
    events.map((event) =>
      event instanceof Uint8Array
        ? String(Reflect.get(Object(jsonOf([event, "end"])), "name"))
        : event instanceof Status
          ? event.message
          : event,
    );
  const lines = [
    '{"name":"1"}',
    withMember('"name":"2"'),
    '{"name":"3"}',
    withMember('"name":"4"'),
    '{"name":"5"}',
  ];

  for (const [what, body] of [
    ["a body", {}],
    ["frames", { framed: true }],
  ] as const) {
    const pushAll = (reader: RequestReader, texts: readonly string[]): void => {
      for (const [i, text] of texts.entries())
        push(reader, what === "frames" ? text : `${text}\n`, i === texts.length - 1);
    };
    const request = what === "frames" ? "GET /v1/chat" : "POST /v1/chat";
    const openStream = (): Transcoding => {
      if (what === "a body") return open(request);
      const match = built.router.matchWebSocket("/v1/chat");
      const transcoding = openBody(match, body);
      return transcoding instanceof Status ? assert.fail(transcoding.message) : transcoding;
    };

    it(`${what}: in order, and held while one is in a thread`, async () => {
      const behind: boolean[] = [];
      const { reader, events, over } = readingOf(openStream(), (reading) =>
        behind.push(reading.reader.behind),
      );
      push(reader, what === "frames" ? String(lines[0]) : `${lines[0]}\n`, false);
      assert.equal(events.length, 1, "a small one comes at once");
      pushAll(reader, lines.slice(1));
      assert.equal(reader.behind, true);
      assert.deepEqual(names(await over), ["1", "2", "3", "4", "5", "end"]);
      assert.equal(reader.behind, false);
      assert.deepEqual(behind, [false, true, true, true, true]);
    });

    it(`${what}: the one that is wrong ends it, after those before it`, async () => {
      const { reader, over } = readingOf(openStream());
      pushAll(reader, ['{"name":"1"}', withMember('"nmae":1'), '{"name":"3"}']);
      const said = names(await over);
      assert.equal(said.length, 2);
      assert.match(String(said[1]), /^(?:message|frame) 2: \$\.nmae/);
    });

    it(`${what}: nothing comes after stop`, async () => {
      const { reader, events } = readingOf(openStream(), (reading) => {
        if (reading.events.length === 2) reading.reader.stop();
      });
      pushAll(reader, lines);
      while (events.length < 2) await new Promise(setImmediate);
      await read("POST /v1/make", LARGE);
      assert.equal(events.length, 2);
    });
  }

  it("a body: invalid JSON after a large message is reported after it", async () => {
    const { reader, over } = readingOf(open("POST /v1/chat"));
    push(reader, `[${lines[1]} x`, true);
    assert.match(String(names(await over)[1]), /^message 2: the body is not a stream of JSON/);
  });
});

interface Writing {
  readonly writer: ResponseWriter;
  readonly over: Promise<{
    head: string;
    fields: readonly Field[];
    body: string;
    failed: Status | undefined;
  }>;
  readonly written: () => number;
}

function writingOf(transcoding: Transcoding): Writing {
  let head = "";
  let fields: readonly Field[] = [];
  const pieces: Buffer[] = [];
  let close = (_failed: Status | undefined): void => {};
  const over = new Promise<Status | undefined>((resolve) => {
    close = resolve;
  }).then((failed) => ({ head, fields, body: String(Buffer.concat(pieces)), failed }));
  const writer = transcoding.writer({
    head: (contentType, own) => {
      head = contentType;
      fields = own;
    },
    write: (bytes, last) => {
      pieces.push(bytes);
      if (last) close(undefined);
    },
    failed: (status) => close(status),
    fault: (error) => {
      throw error;
    },
  });
  return { writer, over, written: () => pieces.length };
}

describe("expensive messages are translated in a thread, even short ones", () => {
  const wide = Array.from({ length: 500 }, (_, i) => `int32 number_of_this_field_${i} = ${i + 1};`).join(" ");
  const all = compileProtos({
    "work/v1/work.proto": `syntax = "proto3"; package work.v1; import "google/api/annotations.proto";
      message Wide { ${wide} }
      message All { repeated int32 ints = 1; string name = 2; repeated Wide wides = 3; bytes data = 4; }
      service Work {
        rpc Make(All) returns (All) { option (google.api.http) = { post: "/v1/make" body: "*" additional_bindings { get: "/v1/make" } }; }
      }`,
  });
  const options = { print: { emitDefaults: true }, methodOverride: true };
  const router = routerFor(all, options, { forms: () => true });
  const bodies: [what: string, type: string, here: string, away: string][] = [
    ["JSON", "application/json", `{"name":"${"x".repeat(60_000)}"}`, `{"ints":[${"1,".repeat(33_000)}1]}`],
    [
      "XML",
      "application/xml",
      `<All><name>${"x".repeat(16_000)}</name></All>`,
      `<All>${"<ints>1</ints>".repeat(1200)}</All>`,
    ],
    ["binary, long", "application/x-protobuf", `\x12\x01x`, "\x08\x01".repeat(9000)],
    ["binary, and much longer as JSON", "application/x-protobuf", "\x1a\0".repeat(10), "\x1a\0".repeat(30)],
    ["a form", "application/x-www-form-urlencoded", "ints=1&".repeat(9000), "ints=1&".repeat(9500)],
  ];
  for (const [what, type, here, away] of bodies) {
    it(`a body: ${what}`, async () => {
      for (const [body, at] of [
        [here, 1],
        [away, 0],
      ] as const) {
        const { reader, events, over } = readingOf(open("POST /v1/make", { contentType: type }, router));
        push(reader, Buffer.from(body, "latin1"), true);
        assert.equal(events.length, at, at === 0 ? "it is in a thread" : "it is here");
        const [message, end] = await over;
        assert.ok(message instanceof Uint8Array, String(message));
        assert.equal(end, "end");
      }
    });
  }

  it("a form that is the query of a GET", async () => {
    const match = router.router.match("POST", "/v1/make", "GET");
    const transcoding = openBody(match, { contentType: "application/x-www-form-urlencoded" });
    if (transcoding instanceof Status) assert.fail(transcoding.message);
    const { reader, events, over } = readingOf(transcoding);
    push(reader, "ints=1&".repeat(10_000), true);
    assert.deepEqual(events, []);
    const [message] = await over;
    assert.ok(message instanceof Uint8Array, String(message));
    assert.equal(message.length, 10_000 + 3);
  });

  const answers: [what: string, bytes: Buffer, accept: string | undefined, query: string][] = [
    ["as JSON, by defaults", Buffer.alloc(60, Buffer.from([0x1a, 0])), undefined, ""],
    [
      "as JSON, by its length",
      Buffer.concat([Buffer.from([0x0a, 0x80, 0x80, 0x08]), Buffer.alloc(131_072, 1)]),
      undefined,
      "",
    ],
    ["indented", Buffer.alloc(12, Buffer.from([0x1a, 0])), undefined, "?$prettyPrint=true"],
    ["in XML", Buffer.alloc(6, Buffer.from([0x1a, 0])), "application/xml", ""],
  ];
  for (const [what, bytes, accept, query] of answers) {
    it(`an answer: ${what}`, async () => {
      const { writer, over, written } = writingOf(open(`GET /v1/make${query}`, { accept }, router));
      writer.message(bytes);
      writer.end();
      assert.equal(written(), 0, "it is in a thread");
      const { failed, body } = await over;
      assert.equal(failed, undefined);
      assert.ok(body.length > 64 * 1024);
    });
  }
});

describe("a large answer", () => {
  const message = encode(registry, "large.v1.Items", { items: MORE });
  assert.ok(message.length > 1024 * 1024);
  const items = MORE;
  const rows: [request: string, body: string][] = [
    ["POST /v1/make", JSON.stringify({ items })],
    ["POST /v1/first", JSON.stringify(items)],
    ["POST /v1/make?$prettyPrint=true", `${JSON.stringify({ items }, null, 2)}\n`],
    ["POST /v1/make?$fields=items.name", JSON.stringify({ items: items.map(({ name }) => ({ name })) })],
  ];
  for (const [request, expected] of rows) {
    it(`of ${request} is printed as a small one`, async () => {
      const { writer, over, written } = writingOf(open(request));
      writer.message(message);
      writer.end();
      assert.equal(written(), 0, "it is in a thread");
      const { head, body } = await over;
      assert.equal(head, "application/json");
      assert.ok(body === expected, `${body.slice(0, 100)} … of ${body.length}, ${expected.length} expected`);
    });
  }

  it("that does not fit its schema fails with the words for small ones", async () => {
    const { writer, over } = writingOf(open("POST /v1/make"));
    const wrong = new BinaryWriter()
      .uint32(2 * 8 + 2)
      .bytes(Buffer.alloc(1_100_000, 0xff))
      .finish();
    writer.message(wrong);
    writer.end();
    const { failed } = await over;
    assert.equal(failed?.code, Code.INTERNAL);
    assert.match(failed.message, /cannot be converted to JSON as large.v1.Items/);
    assert.ok(failed.cause instanceof Error);
  });

  it("in a stream keeps its place, and holds the service", async () => {
    const { writer, over } = writingOf(open("POST /v1/chat", { accept: "application/x-ndjson" }));
    const small = encode(registry, "large.v1.Items", { name: "small" });
    for (const one of [small, message, small, message]) writer.message(one);
    assert.equal(writer.behind, true);
    writer.end();
    const { body } = await over;
    const [small1 = "", large1, small2, large2, rest] = body.split("\n");
    assert.deepEqual([JSON.parse(small1), small2, rest], [{ name: "small" }, small1, ""]);
    assert.equal(large1, JSON.stringify({ items }));
    assert.equal(large2, large1);
    assert.equal(writer.behind, false);
  });

  it("in a stream that fails comes before the failure", async () => {
    const { writer, over } = writingOf(open("POST /v1/chat", { accept: "application/x-ndjson" }));
    writer.message(message);
    writer.fail(new Status(Code.ABORTED, "enough"));
    const { body, failed } = await over;
    assert.equal(failed?.message, "enough");
    assert.match(body, /^\{"items":.*\n\{"error":.*"enough"/s);
  });

  it("is not written once its call is over", async () => {
    const { writer, written } = writingOf(open("POST /v1/make"));
    writer.message(message);
    writer.end();
    writer.stop();
    const stream = writingOf(open("POST /v1/chat"));
    stream.writer.message(message);
    stream.writer.end();
    stream.writer.stop();
    const last = writingOf(open("POST /v1/make"));
    last.writer.message(message);
    last.writer.end();
    await last.over;
    assert.deepEqual([written(), stream.written()], [0, 0]);
  });
});
