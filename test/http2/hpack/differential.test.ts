// Our HPACK beside nghttp2's over generated lists: whatever is sent, in whatever order, and however the server changes its
// table under way, each side reads what the other wrote; what must never be indexed stays marked.
import assert from "node:assert/strict";
import http2 from "node:http2";
import { connect } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Connection } from "#src/http2/connection.js";
import type { HeaderBlock } from "#src/http2/hpack/decoder.js";
import type { Stream, StreamHandler } from "#src/http2/stream.js";
import { Owner } from "../../support/wire.js";

type Sent = readonly [name: string, value: string, sensitive: boolean];

const RUNS = Math.max(10, Math.round(Number(process.env.FUZZ_RUNS ?? 500) / 20));

const name = fc.oneof(
  fc.constantFrom(
    "x-a",
    "x-b",
    "x-long-name-that-takes-some-bytes",
    "grpc-timeout",
    "user-agent",
    "accept",
    "etag",
  ),
  fc.stringMatching(/^x-[a-z0-9_.-]{1,20}$/),
);
const value = fc.oneof(
  fc.constantFrom("", "0", "application/grpc", "trailers", "v".repeat(300), "deflate, gzip;q=1.0, *;q=0.5"),
  fc.stringMatching(/^[!-~]([ -~]{0,60}[!-~])?$/),
  fc.integer({ min: 1, max: 1500 }).map((length) => "long".repeat(length)),
);
const field = fc.tuple(name, value, fc.boolean());
/** One call: what the client sends, what the server answers, and the size that the server gives its table before. */
const call = fc.record({
  request: fc.uniqueArray(field, { maxLength: 10, selector: ([n]) => n }),
  response: fc.uniqueArray(field, { maxLength: 10, selector: ([n]) => n }),
  tableBytes: fc.option(fc.constantFrom(0, 1, 50, 1000, 4096, 65_536), { freq: 3, nil: undefined }),
});

/** The head of an answer, as our decoder read it. */
class Answer implements StreamHandler {
  readonly head: Promise<HeaderBlock>;
  private resolve: (block: HeaderBlock) => void = () => {};
  private reject: (error: Error) => void = () => {};

  constructor() {
    this.head = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
  onHeaders(_stream: Stream, block: HeaderBlock): void {
    this.resolve(block);
  }
  onData(stream: Stream, _chunk: Buffer, start: number, end: number): void {
    stream.consumed(end - start);
  }
  onTrailers(): void {}
  onReset(_stream: Stream, { reason }: { readonly reason: string }): void {
    this.reject(new Error(reason));
  }
  onSent(): void {}
}

describe("beside nghttp2, whatever is sent", () => {
  it("each reads what the other wrote, through changes of the table's size", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 25 }), async (calls) => {
        const got: Sent[][] = [];
        const server = http2.createServer();
        server.on("stream", (stream: http2.ServerHttp2Stream, ...[headers, , raw]: unknown[]) => {
          assert.ok(Array.isArray(raw));
          assert.ok(typeof headers === "object" && headers !== null);
          const marked: unknown = Reflect.get(headers, http2.sensitiveHeaders);
          assert.ok(marked === undefined || Array.isArray(marked));
          const list: Sent[] = [];
          for (let i = 0; i < raw.length; i += 2) {
            const [n, v] = [String(raw[i]), String(raw[i + 1])];
            list.push([n, v, marked?.includes(n) === true]);
          }
          const { response = [] } = calls[got.length] ?? {};
          got.push(list);
          const answer: http2.OutgoingHttpHeaders = { ":status": 200 };
          for (const [n, v] of response) answer[n] = v;
          Reflect.set(
            answer,
            http2.sensitiveHeaders,
            response.flatMap(([n, , s]) => (s ? [n] : [])),
          );
          // The option that leaves the date out is not among the types.
          const options = { endStream: true, sendDate: false };
          stream.respond(answer, options);
        });
        let session: http2.ServerHttp2Session | undefined;
        server.on("session", (opened) => {
          session = opened;
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        const address = server.address();
        assert.ok(typeof address === "object" && address !== null);
        const owner = new Owner();
        const client = new Connection(connect(address.port, "127.0.0.1"), { role: "client" }, owner);
        try {
          await owner.ready;
          for (const [i, { request, response, tableBytes }] of calls.entries()) {
            if (tableBytes !== undefined) {
              // Acknowledged by us once our encoder knows.
              await new Promise<void>((resolve) =>
                session?.settings({ headerTableSize: tableBytes }, () => resolve()),
              );
            }
            const answer = new Answer();
            const stream = client.open(answer);
            assert.ok(stream !== undefined);
            assert.ok(stream.beginHeaders());
            const head: Sent[] = [
              [":method", "POST", false],
              [":scheme", "http", false],
              [":path", `/a.B/Method${i % 3}`, false],
              [":authority", "test", false],
              ...request,
            ];
            for (const [n, v, sensitive] of head) stream.header(n, v, sensitive);
            stream.endHeaders(true);
            const { fields } = await answer.head;
            assert.deepEqual(got[i], head);
            assert.deepEqual(
              fields.slice(1).map((f): Sent => [f.name, f.value, f.sensitive]),
              response,
            );
          }
        } finally {
          client.destroy();
          session?.destroy();
          await new Promise((resolve) => server.close(resolve));
        }
      }),
      { numRuns: RUNS },
    );
  });
});
