import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import type { MessageHooks, Step, Verdict } from "#src/call/interceptor.js";
import { frameMessage } from "#src/call/messages.js";
import { plan, run } from "#src/call/pipeline.js";
import { RunningCalls } from "#src/call/running-calls.js";
import type { Handler, Sink } from "#src/call/sink.js";
import { Code, Status } from "#src/call/status/status.js";
import { listenToFaults } from "#src/kit/faults.js";
import { Headers } from "#src/kit/headers.js";
import { TimerWheel } from "#src/kit/timer-wheel.js";
import { FakeClock } from "../support/fake-clock.js";
import { abortOf, callOf, methodOf, RecordingSink, RecordingSource } from "../support/sinks.js";

const LIMIT = 300_000;
const REFUSED = new Status(Code.PERMISSION_DENIED, "not this one");

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A verdict that the test gives when it likes. */
class Wait {
  give: (verdict: Verdict) => void = () => {};
  fail: (error: Error) => void = () => {};
  readonly verdict = new Promise<Verdict>((resolve, reject) => {
    this.give = resolve;
    this.fail = reject;
  });
}

/** A call through the steps of a plan, to a service that records its request. */
class Rig {
  readonly clock = new FakeClock(1000);
  readonly timers = new TimerWheel(this.clock);
  readonly response = new RecordingSink();
  readonly upstream = new RecordingSink();
  readonly client = new RecordingSource();
  readonly service = new RecordingSource();
  readonly call;
  readonly request: Sink;
  answer: Sink | undefined = undefined;
  dispatched = 0;
  ends = 0;
  onDispatch: (response: Sink) => void = () => {};

  constructor(steps: readonly (MessageHooks | Step)[], fields: readonly (readonly [string, string])[] = []) {
    this.call = callOf({ startedAt: 1000, headers: Headers.of(...fields) });
    const handler: Handler = (_call, response) => {
      this.dispatched++;
      this.answer = response;
      this.onDispatch(response);
      return this.upstream;
    };
    const all = steps.map((step, i): Step => ("name" in step ? step : { name: `step${i}`, messages: step }));
    const interceptors = [{ name: "end", end: () => void this.ends++ }, ...all].map((step) => ({
      name: step.name,
      plan: () => step,
    }));
    const planned = plan(methodOf(), interceptors, handler, LIMIT);
    this.request = run(planned, this.call, this.response, this.timers, new RunningCalls());
    this.request.open(this.client);
  }

  send(bytes: Buffer, last = false): void {
    this.request.data(bytes, 0, bytes.length, last);
  }

  begin(...fields: (readonly [string, string])[]): Sink {
    const { answer } = this;
    assert.ok(answer, "the service was not called");
    answer.open(this.service);
    answer.headers(Headers.of(...fields), false);
    return answer;
  }

  reply(bytes: Buffer): void {
    this.answer?.data(bytes, 0, bytes.length, false);
  }

  finish(code: number = Code.OK): void {
    this.answer?.trailers(Headers.of(["grpc-status", String(code)]));
  }
}

function frame(text: string): Buffer {
  return frameMessage(Buffer.from(text));
}

function packed(bytes: Buffer): Buffer {
  const framed = frameMessage(bytes);
  framed[0] = 1;
  return framed;
}

describe("steps that see messages", () => {
  it("cost nothing if no step has them", () => {
    const handler: Handler = () => new RecordingSink();
    const silent = { name: "silent", plan: () => ({ name: "silent", start: () => undefined, messages: {} }) };
    assert.equal(plan(methodOf(), [silent], handler, LIMIT).handler, handler);
    const seeing = {
      name: "seeing",
      plan: () => ({ name: "seeing", messages: { response: () => undefined } }),
    };
    assert.equal(plan(methodOf(), [seeing], handler).handler, handler, "a page has none");
    assert.notEqual(plan(methodOf(), [seeing], handler, LIMIT).handler, handler);
  });

  it("see each message in the order of the steps, answers the other way round, before anything is called", () => {
    const log: string[] = [];
    const hooks = (name: string): MessageHooks => ({
      request: (_call, m) => void log.push(`${name} ${m}`),
      requestEnd: (_call, n) => void log.push(`${name} end ${n}`),
      response: (_call, m) => void log.push(`${name} got ${m}`),
    });
    const rig = new Rig([hooks("a"), hooks("b")]);
    rig.send(frame("1").subarray(0, 3));
    assert.equal(rig.dispatched, 0);
    rig.send(frame("1").subarray(3));
    assert.equal(rig.dispatched, 1);
    rig.send(frame("2"), true);
    rig.begin();
    rig.reply(frame("3"));
    rig.finish();
    assert.deepEqual(log, ["a 1", "b 1", "a 2", "b 2", "a end 2", "b end 2", "b got 3", "a got 3"]);
    assert.equal(rig.upstream.body, `${frame("1")}${frame("2")}`);
    assert.deepEqual(rig.response.events, ["open", "headers", `data:${frame("3")}`, "trailers"]);
    assert.equal(rig.ends, 1);
  });

  it("learn that a request ends without a message, and may refuse that", () => {
    const rig = new Rig([{ requestEnd: (_call, n) => (n === 0 ? REFUSED : undefined) }]);
    rig.send(Buffer.alloc(0), true);
    assert.deepEqual(rig.response.events, [`abort:${Code.PERMISSION_DENIED}`]);
    assert.equal(rig.response.aborted?.sent, "never");
    assert.equal(rig.dispatched, 0);
    const admitted = new Rig([{ request: () => REFUSED }]);
    admitted.send(Buffer.alloc(0), true);
    assert.deepEqual(admitted.upstream.events, ["open", "data:!"]);
  });

  it("reject in mid-stream: accepted messages were passed on, the service is reset, the rest is dropped", () => {
    const all = [frame("good"), frame("fine"), frame("bad"), frame("late")];
    for (const pieces of [all, [Buffer.concat(all)]]) {
      const rig = new Rig([{ request: (_call, m) => (String(m) === "bad" ? REFUSED : undefined) }]);
      for (const piece of pieces) rig.send(piece);
      assert.equal(rig.upstream.body, `${frame("good")}${frame("fine")}`);
      assert.equal(rig.upstream.events.at(-1), `abort:${Code.PERMISSION_DENIED}`);
      assert.deepEqual(rig.response.events, [`abort:${Code.PERMISSION_DENIED}`]);
      assert.equal(rig.response.aborted?.sent, "maybe");
      assert.equal(rig.ends, 1);
    }
  });

  it("refuse an answer: the client gets the status, the service is reset", () => {
    const rig = new Rig([{ response: (_call, m) => (String(m) === "bad" ? REFUSED : undefined) }]);
    rig.send(frame("q"), true);
    rig.begin();
    rig.reply(frame("good"));
    rig.reply(frame("bad"));
    rig.reply(frame("late"));
    rig.finish();
    const good = `data:${frame("good")}`;
    assert.deepEqual(rig.response.events, ["open", "headers", good, `abort:${Code.PERMISSION_DENIED}`]);
    assert.equal(rig.upstream.events.at(-1), `abort:${Code.PERMISSION_DENIED}`);
    assert.equal(rig.ends, 1);
  });

  it("hold their direction and its credit while they wait, not the other one", async () => {
    const waits = [new Wait(), new Wait()];
    let asked = 0;
    const rig = new Rig([{ request: () => waits[asked++]?.verdict }]);
    rig.send(frame("1"));
    rig.send(frame("2"), true);
    assert.deepEqual([rig.dispatched, asked, rig.client.credit], [0, 1, 0]);
    assert.equal(rig.call.stage, "step0");
    waits[0]?.give(undefined);
    await turn();
    assert.deepEqual(rig.upstream.events, ["open", `data:${frame("1")}`]);
    assert.deepEqual([rig.dispatched, asked], [1, 2]);
    rig.begin();
    rig.reply(frame("early"));
    assert.equal(rig.response.events.at(-1), `data:${frame("early")}`);
    waits[1]?.give(undefined);
    await turn();
    assert.equal(rig.upstream.events.at(-1), `data:${frame("2")}!`);
    assert.equal(rig.client.credit, 0);
    rig.upstream.source?.consumed(12);
    assert.equal(rig.client.credit, 12);
  });

  it("count no more once the call has ended", async () => {
    for (const verdict of [undefined, REFUSED]) {
      const wait = new Wait();
      let asked = 0;
      const rig = new Rig([
        {
          request: () => {
            asked++;
            return wait.verdict;
          },
        },
        { request: () => assert.fail("the call has ended") },
      ]);
      rig.send(Buffer.concat([frame("1"), frame("2")]), true);
      rig.request.abort(abortOf(Code.CANCELLED));
      wait.give(verdict);
      await turn();
      assert.deepEqual([rig.dispatched, asked, rig.ends], [0, 1, 1]);
      assert.deepEqual(rig.response.events, []);
    }
    const wait = new Wait();
    const rig = new Rig([{ response: () => wait.verdict }]);
    rig.send(frame("q"), true);
    rig.begin();
    rig.reply(frame("1"));
    rig.finish();
    rig.request.abort(abortOf(Code.CANCELLED));
    wait.give(undefined);
    await turn();
    assert.deepEqual(rig.response.events, ["open", "headers"]);
    assert.deepEqual(rig.response.late, []);
  });

  it("run into the call's deadline, which names them", () => {
    const rig = new Rig([
      {
        name: "limit",
        start: (call) => {
          call.deadline = 1500;
          return undefined;
        },
      },
      { name: "slow", messages: { request: () => new Wait().verdict } },
    ]);
    rig.send(frame("1"), true);
    rig.clock.advance(1000);
    assert.equal(rig.response.aborted?.status.code, Code.DEADLINE_EXCEEDED);
    assert.match(rig.response.aborted?.status.message ?? "", /in stage: slow/);
    assert.equal(rig.dispatched, 0);
  });

  it("fail their call alone, in either direction, at once or later", async (t) => {
    const faults: string[] = [];
    t.after(listenToFaults((line) => void faults.push(line ?? "")));
    const broken: readonly MessageHooks["request"][] = [
      () => assert.fail("at once"),
      async () => assert.fail("later"),
    ];
    for (const hook of broken) {
      for (const messages of [
        { request: hook },
        { requestEnd: hook },
        { response: hook },
      ] as MessageHooks[]) {
        const rig = new Rig([{ name: "broken", messages }]);
        rig.send(frame("1"), true);
        await turn();
        if (messages.response !== undefined) {
          rig.begin();
          rig.reply(frame("2"));
          await turn();
        }
        assert.equal(rig.response.aborted?.status.code, Code.INTERNAL);
        assert.match(rig.response.aborted?.status.message ?? "", /interceptor "broken" failed/);
        assert.equal(rig.ends, 1);
      }
    }
    assert.ok(
      faults.every((line) => line === "" || line.includes('interceptor "broken"')),
      faults.join("\n"),
    );
  });

  it("end the call where the service cannot be called after they waited", async (t) => {
    t.after(listenToFaults(() => {}));
    const rig = new Rig([{ request: async () => undefined }]);
    rig.onDispatch = () => assert.fail("no service");
    rig.send(frame("1"), true);
    await turn();
    await turn();
    assert.deepEqual(rig.response.events, [`abort:${Code.INTERNAL}`]);
    const answering = new Rig([{ request: async () => undefined }]);
    answering.onDispatch = (response) => response.abort(abortOf(Code.UNAVAILABLE, "hub"));
    answering.send(frame("1"), true);
    await turn();
    assert.deepEqual(answering.response.events, [`abort:${Code.UNAVAILABLE}`]);
    assert.deepEqual(answering.upstream.events, [`abort:${Code.UNAVAILABLE}`]);
  });

  for (const [encoding, pack] of [
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ] as const) {
    it(`see what ${encoding} has packed, and pass on what came`, async () => {
      const small = Buffer.from("small");
      const large = Buffer.alloc(200_000, "large");
      const seen: number[] = [];
      const hook = (_call: unknown, message: Buffer): undefined => void seen.push(message.length);
      const rig = new Rig([{ request: hook, response: hook }], [["grpc-encoding", encoding]]);
      const body = Buffer.concat([packed(pack(large)), packed(pack(small)), frame("plain")]);
      rig.send(body, true);
      while (!rig.upstream.ended) await turn();
      assert.equal(Buffer.compare(Buffer.concat(rig.upstream.chunks), body), 0);
      rig.begin(["grpc-encoding", encoding]);
      rig.reply(body);
      rig.finish();
      while (!rig.response.ended) await turn();
      assert.equal(Buffer.compare(Buffer.concat(rig.response.chunks), body), 0);
      assert.deepEqual(seen, [200_000, 5, 5, 200_000, 5, 5]);
    });
  }

  const whole = frame("whole");
  const bad: readonly (readonly [
    string,
    Buffer,
    request: [number, RegExp],
    response: [number, RegExp],
    string?,
  ])[] = [
    [
      "larger than the limit",
      Buffer.from([0, 0, 5, 0, 0]),
      [Code.RESOURCE_EXHAUSTED, /limit/],
      [Code.RESOURCE_EXHAUSTED, /limit/],
    ],
    [
      "larger once unpacked",
      packed(gzipSync(Buffer.alloc(LIMIT + 1))),
      [Code.RESOURCE_EXHAUSTED, /decompressed/],
      [Code.RESOURCE_EXHAUSTED, /decompressed/],
      "gzip",
    ],
    ["of an odd flag", Buffer.from([7, 0, 0, 0, 0]), [Code.INTERNAL, /flag 7/], [Code.INTERNAL, /flag 7/]],
    [
      "cut short",
      whole.subarray(0, 7),
      [Code.INTERNAL, /within a message/],
      [Code.INTERNAL, /within a message/],
    ],
    [
      "packed in no known way",
      packed(Buffer.from("x")),
      [Code.UNIMPLEMENTED, /"br"/],
      [Code.UNIMPLEMENTED, /"br"/],
      "br",
    ],
    [
      "packed without saying how",
      packed(Buffer.from("x")),
      [Code.INTERNAL, /no grpc-encoding/],
      [Code.INTERNAL, /no grpc-encoding/],
    ],
    [
      "not what they say",
      packed(Buffer.from("x")),
      [Code.INTERNAL, /not valid gzip/],
      [Code.INTERNAL, /not valid gzip/],
      "gzip",
    ],
  ];
  for (const [what, bytes, request, response, encoding] of bad) {
    it(`refuse a message ${what}`, async () => {
      const fields = encoding === undefined ? [] : [["grpc-encoding", encoding] as const];
      const rig = new Rig([{ request: () => undefined }], fields);
      rig.send(Buffer.concat([whole, bytes]), true);
      while (!rig.response.ended) await turn();
      assert.equal(rig.response.aborted?.status.code, request[0]);
      assert.match(rig.response.aborted?.status.message ?? "", request[1]);
      if (request[0] === Code.UNIMPLEMENTED)
        assert.equal(
          rig.response.aborted?.status.metadata?.get("grpc-accept-encoding"),
          "identity,gzip,deflate",
        );
      const other = new Rig([{ response: () => undefined }]);
      other.send(whole, true);
      other.begin(...fields);
      other.reply(bytes);
      other.finish();
      while (!other.response.ended) await turn();
      assert.equal(other.response.aborted?.status.code, response[0]);
      assert.match(other.response.aborted?.status.message ?? "", response[1]);
    });
  }

  it("let a service fail within a message", () => {
    const rig = new Rig([{ response: () => undefined }]);
    rig.send(whole, true);
    rig.begin();
    rig.reply(whole);
    rig.reply(whole.subarray(0, 7));
    rig.finish(Code.UNAVAILABLE);
    assert.deepEqual(rig.response.events, ["open", "headers", `data:${whole}`, "trailers"]);
  });

  it("take messages larger than a window, one at a time where the receiver takes nothing", () => {
    const window = 1000;
    const message = frameMessage(Buffer.alloc(10 * window));
    const rig = new Rig([{ request: () => undefined }]);
    let sent = 0;
    const body = Buffer.concat([message, message, message]);
    const sendAll = (): void => {
      while (sent < body.length && sent - rig.client.credit < window) {
        const n = Math.min(window - (sent - rig.client.credit), body.length - sent, 300);
        sent += n;
        rig.request.data(body, sent - n, sent, sent === body.length);
      }
    };
    sendAll();
    assert.ok(sent <= message.length + window, "the second message waits until the first was taken");
    let taken = 0;
    for (let got = 0; taken < body.length; ) {
      got = Buffer.concat(rig.upstream.chunks).length;
      assert.ok(got > taken, "nothing comes any more");
      rig.upstream.source?.consumed(got - taken);
      taken = got;
      sendAll();
    }
    assert.equal(rig.client.credit, body.length);
  });

  it("are asked about no more messages in one turn than it has room for", async () => {
    let seen = 0;
    const rig = new Rig([{ request: () => void seen++ }]);
    rig.send(Buffer.concat(Array.from({ length: 2000 }, () => frame(""))), true);
    const first = seen;
    assert.ok(first < 2000);
    while (!rig.upstream.ended) await turn();
    assert.equal(seen, 2000);
  });

  it("see the same messages, and pass the same bytes on, however a body is cut and whichever step waits", async () => {
    const shape = fc.record({
      messages: fc.array(fc.record({ size: fc.nat(40), pack: fc.boolean(), wait: fc.boolean() }), {
        maxLength: 8,
      }),
      cuts: fc.array(fc.nat(400), { maxLength: 12 }),
      takes: fc.array(fc.nat(60), { maxLength: 12 }),
      refuse: fc.option(fc.nat(8), { nil: -1 }),
      trailing: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(shape, fc.constantFrom("request", "response"), async (given, direction) => {
        const contents = given.messages.map(({ size }, i) => Buffer.alloc(size, 65 + i));
        const frames = contents.map((c, i) =>
          given.messages[i]?.pack === true ? packed(gzipSync(c)) : frameMessage(c),
        );
        const body = Buffer.concat(frames);
        const refused = given.refuse < contents.length ? given.refuse : -1;
        const seen: string[] = [];
        const hook = (_call: unknown, message: Buffer): Verdict | Promise<Verdict> => {
          const at = seen.push(message.toString("latin1")) - 1;
          const verdict = at === refused ? REFUSED : undefined;
          return given.messages[at]?.wait === true ? turn().then(() => verdict) : verdict;
        };
        const encoding = ["grpc-encoding", "gzip"] as const;
        const rig = new Rig([{ [direction]: hook }], [encoding]);
        let to = rig.upstream;
        let from: Sink = rig.request;
        let credited = rig.client;
        if (direction === "response") {
          rig.send(whole, true);
          from = rig.begin(encoding);
          to = rig.response;
          credited = rig.service;
        }
        const places = [
          0,
          ...given.cuts.map((c) => Math.min(c, body.length)).sort((a, b) => a - b),
          body.length,
        ];
        let taken = 0;
        const trailing = direction === "response" && given.trailing;
        for (let i = 0; i + 1 < places.length; i++) {
          const last = i + 2 === places.length && !trailing;
          from.data(body, places[i] ?? 0, places[i + 1] ?? 0, last);
          if (i % 3 === 0) await turn();
          const takes = Math.min(given.takes[i] ?? 0, to.body.length - taken);
          if (takes > 0) to.source?.consumed(takes);
          taken += takes;
        }
        if (trailing) rig.finish();
        for (let i = 0; i < 20 && !rig.response.ended && !to.ended; i++) await turn();
        const texts = contents.map((c) => c.toString("latin1"));
        assert.deepEqual(seen, refused < 0 ? texts : texts.slice(0, refused + 1));
        const sentOn = Buffer.concat(to.chunks);
        if (refused < 0) {
          assert.equal(Buffer.compare(sentOn, body), 0);
          assert.ok(to.ended);
          assert.equal(to.aborted, undefined);
          assert.ok(
            credited.credit >= taken && credited.credit <= body.length,
            "credit for what was taken or held",
          );
          to.source?.consumed(body.length - taken);
          assert.equal(credited.credit, body.length);
        } else {
          const before = Buffer.concat(frames.slice(0, refused)).length;
          assert.equal(Buffer.compare(sentOn, body.subarray(0, before)), 0);
          assert.equal(rig.response.aborted?.status, REFUSED);
        }
        assert.deepEqual(to.late, []);
      }),
      { numRuns: 150 },
    );
  });
});
