import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Call } from "#src/call/call.js";
import type { Interceptor, Outcome, Step } from "#src/call/interceptor.js";
import { type Plan, plan, run } from "#src/call/pipeline.js";
import { RunningCalls } from "#src/call/running-calls.js";
import { type Handler, refuse, type Sink } from "#src/call/sink.js";
import { Code, Status } from "#src/call/status/status.js";
import { listenToFaults } from "#src/kit/faults.js";
import { Headers } from "#src/kit/headers.js";
import { TimerWheel } from "#src/kit/timer-wheel.js";
import { FakeClock } from "../support/fake-clock.js";
import { abortOf, callOf, methodOf, push, RecordingSink, RecordingSource, text } from "../support/sinks.js";

type Verdict = undefined | Status;

/** A step whose verdict the test gives when it likes. */
class Gate {
  readonly step: Step;
  readonly log: string[];
  resolve: (verdict: Verdict) => void = () => {};
  reject: (error: Error) => void = () => {};

  constructor(name: string, log: string[]) {
    this.log = log;
    this.step = {
      name,
      start: () => {
        log.push(`start ${name}`);
        return new Promise<Verdict>((resolve, reject) => {
          this.resolve = resolve;
          this.reject = reject;
        });
      },
      end: (_call, outcome) => {
        log.push(`end ${name} ${outcome.code}`);
      },
    };
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Rig {
  readonly clock = new FakeClock(1000);
  readonly timers = new TimerWheel(this.clock);
  readonly calls = new RunningCalls();
  readonly log: string[] = [];
  readonly outcomes: Outcome[] = [];
  readonly response = new RecordingSink();
  readonly upstream = new RecordingSink();
  readonly client = new RecordingSource();
  readonly service = new RecordingSource();
  readonly call: Call = callOf({ startedAt: 1000 });
  dispatched = 0;
  /** Where the handler answers. */
  answer: Sink | undefined = undefined;
  onDispatch: (response: Sink) => void = () => {};

  readonly handler: Handler = (_call, response) => {
    this.dispatched++;
    this.log.push("dispatch");
    this.answer = response;
    this.onDispatch(response);
    return this.upstream;
  };

  step(name: string, verdict?: (call: Call) => Verdict | Promise<Verdict>): Step {
    return {
      name,
      start: (call) => {
        this.log.push(`start ${name}`);
        return verdict?.(call);
      },
      end: (_call, outcome) => {
        this.log.push(`end ${name} ${outcome.code}`);
        this.outcomes.push(outcome);
      },
    };
  }

  gate(name: string): Gate {
    return new Gate(name, this.log);
  }

  run(...steps: Step[]): Sink {
    const { call, handler } = this;
    const planned: Plan = { method: call.method, steps, attemptObservers: [], handler };
    const request = run(planned, this.call, this.response, this.timers, this.calls);
    request.open(this.client);
    return request;
  }

  /** The service's whole answer. */
  answerOk(body = "answer"): void {
    this.answer?.open(this.service);
    this.answer?.headers(Headers.of(["content-type", "application/grpc"]), false);
    if (this.answer !== undefined) push(this.answer, body);
    this.answer?.trailers(Headers.of(["grpc-status", "0"]));
  }
}

describe("a call through its steps", () => {
  it("starts steps in order, dispatches, and ends them in reverse order", () => {
    const rig = new Rig();
    const request = rig.run(rig.step("a"), { name: "silent" }, rig.step("b"));
    push(request, "question", true);
    rig.answerOk();
    assert.deepEqual(rig.log, ["start a", "start b", "dispatch", "end b 0", "end a 0"]);
    assert.deepEqual(rig.upstream.events, ["open", "data:question!"]);
    assert.deepEqual(rig.response.events, ["open", "headers", "data:answer", "trailers"]);
  });

  it("says how it ended: code, who, bytes, time, trailers", () => {
    const rig = new Rig();
    const request = rig.run(rig.step("a"));
    push(request, "12345");
    push(request, "678", true);
    rig.clock.advance(7);
    rig.answer?.open(rig.service);
    rig.answer?.headers(Headers.of(), false);
    if (rig.answer !== undefined) push(rig.answer, "abcd");
    rig.answer?.trailers(Headers.of(["grpc-status", "5"], ["grpc-message", "no book"]));
    const [outcome] = rig.outcomes;
    assert.ok(outcome);
    assert.equal(outcome.code, Code.NOT_FOUND);
    assert.equal(outcome.by, "upstream");
    assert.equal(outcome.requestBytes, 8);
    assert.equal(outcome.responseBytes, 4);
    assert.equal(outcome.durationMs, 7);
    assert.equal(outcome.trailers?.get("grpc-message"), "no book");
    assert.equal(outcome.cause, undefined);
  });

  it("reads the code of a trailers-only answer", () => {
    const rig = new Rig();
    rig.run(rig.step("a"));
    rig.answer?.open(rig.service);
    rig.answer?.headers(Headers.of(["grpc-status", "7"]), true);
    assert.equal(rig.outcomes[0]?.code, Code.PERMISSION_DENIED);
    assert.deepEqual(rig.response.events, ["open", "headers!"]);
  });

  it("plans each interceptor once, leaves out those that have nothing to do, and nests around from the outside in", () => {
    const log: string[] = [];
    const wrapping = (name: string): Interceptor => ({
      name,
      plan: () => ({
        name,
        around: (next) => (call, response) => {
          log.push(name);
          return next(call, response);
        },
      }),
    });
    const absent: Interceptor = { name: "absent", plan: () => undefined };
    const rig = new Rig();
    const planned = plan(methodOf(), [wrapping("outer"), absent, wrapping("inner")], rig.handler);
    assert.equal(planned.steps.length, 2);
    run(planned, rig.call, rig.response, rig.timers, rig.calls);
    assert.deepEqual(log, ["outer", "inner"]);
    assert.equal(rig.dispatched, 1);
  });

  it("ends at the first refusal: later steps and the service never see the call", () => {
    const rig = new Rig();
    const status = new Status(Code.UNAUTHENTICATED, "who are you?");
    const request = rig.run(
      rig.step("a"),
      rig.step("b", () => status),
      rig.step("c"),
    );
    assert.deepEqual(rig.log, ["start a", "start b", "end b 16", "end a 16"]);
    assert.equal(rig.response.aborted?.status, status);
    assert.equal(rig.response.aborted?.sent, "never");
    assert.equal(rig.outcomes[0]?.cause?.status, status);
    assert.equal(rig.outcomes[0]?.by, "hub");
    assert.equal(rig.client.cancels.length, 1);
    push(request, "late", true);
    assert.equal(rig.client.credit, 4, "what still comes is given back");
    assert.deepEqual(rig.upstream.events, []);
  });

  for (const [how, verdict] of [
    ["throws", () => assert.fail("secret detail")],
    ["rejects", () => Promise.reject(new Error("secret detail"))],
  ] as const) {
    it(`a step that ${how} refuses the call by INTERNAL, and its cause stays inside`, async () => {
      const rig = new Rig();
      rig.run(rig.step("a"), rig.step("broken", verdict), rig.step("c"));
      await settled();
      const status = rig.response.aborted?.status;
      assert.equal(status?.code, Code.INTERNAL);
      assert.match(status?.message ?? "", /"broken" failed/);
      assert.doesNotMatch(status?.message ?? "", /secret/);
      assert.ok(status?.cause instanceof Error);
      assert.deepEqual(rig.log, ["start a", "start broken", "end broken 13", "end a 13"]);
    });
  }

  it("an end that throws does not keep the others from ending", async () => {
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    const rig = new Rig();
    rig.run(rig.step("a"), { name: "b", end: () => assert.fail("oops") }, rig.step("c"));
    rig.answerOk();
    assert.deepEqual(rig.log, ["start a", "start c", "dispatch", "end c 0", "end a 0"]);
    assert.match((await warned).message, /interceptor b failed at the end/);
  });

  it("an abort listener that throws does not keep the call from ending", async () => {
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    const rig = new Rig();
    const heard: number[] = [];
    const request = rig.run(rig.step("a"));
    rig.call.onAbort(() => assert.fail("oops"));
    rig.call.onAbort((cause) => heard.push(cause.status.code));
    request.abort(abortOf(Code.CANCELLED));
    assert.deepEqual(heard, [1]);
    assert.deepEqual(rig.log, ["start a", "dispatch", "end a 1"]);
    assert.match((await warned).message, /abort listener/);
  });

  it("a handler that throws is an INTERNAL answer, not the end of the process", () => {
    const rig = new Rig();
    rig.onDispatch = () => assert.fail("oops");
    const request = rig.run(rig.step("a"));
    assert.equal(rig.response.aborted?.status.code, Code.INTERNAL);
    assert.deepEqual(rig.log, ["start a", "dispatch", "end a 13"]);
    push(request, "late", true);
    assert.equal(rig.client.credit, 4);
  });

  it("a handler may refuse before it returns", () => {
    const rig = new Rig();
    const status = new Status(Code.UNIMPLEMENTED, "no such service");
    const steps = [rig.step("a")];
    const handler = refuse(() => status);
    const planned = { method: rig.call.method, steps, attemptObservers: [], handler };
    const request = run(planned, rig.call, rig.response, rig.timers, rig.calls);
    request.open(rig.client);
    push(request, "question", true);
    assert.deepEqual(rig.response.events, ["abort:12"]);
    assert.deepEqual(rig.log, ["start a", "end a 12"]);
    assert.equal(rig.client.credit, 8);
  });

  it("a handler may answer before it returns", () => {
    const rig = new Rig();
    rig.onDispatch = () => rig.answerOk();
    const request = rig.run(rig.step("a"));
    assert.deepEqual(rig.log, ["start a", "dispatch", "end a 0"]);
    // The handler's own sink takes what still comes: it alone knows what to do with it.
    push(request, "late", true);
    assert.deepEqual(rig.upstream.events, ["open", "data:late!"]);
    assert.deepEqual(rig.response.late, []);
  });

  it("a response that is complete before the request's end is the outcome; later events of the client change nothing", () => {
    const rig = new Rig();
    const request = rig.run(rig.step("a"));
    push(request, "part one");
    rig.answerOk();
    push(request, "part two", true);
    request.abort(abortOf(Code.CANCELLED));
    assert.deepEqual(rig.log, ["start a", "dispatch", "end a 0"]);
    assert.equal(rig.call.aborted, undefined);
    assert.deepEqual(rig.response.late, []);
  });

  it("nothing of the service reaches the client after the call has ended", () => {
    const rig = new Rig();
    const request = rig.run(rig.step("a"));
    rig.answer?.open(rig.service);
    request.abort(abortOf(Code.CANCELLED));
    rig.answerOk();
    rig.answer?.abort(abortOf(Code.INTERNAL, "upstream"));
    assert.deepEqual(rig.response.events, ["open"]);
    assert.deepEqual(rig.log, ["start a", "dispatch", "end a 1"]);
  });

  it("when the client leaves, the service is notified, and the client is not", () => {
    const rig = new Rig();
    const request = rig.run(rig.step("a"));
    const cause = abortOf(Code.CANCELLED);
    request.abort(cause);
    request.abort(cause);
    assert.deepEqual(rig.upstream.aborts, [cause]);
    assert.deepEqual(rig.response.events, []);
    assert.equal(rig.call.aborted, cause);
    assert.equal(rig.outcomes[0]?.by, "client");
  });

  it("when the service fails, the client is notified, and its request is stopped", () => {
    const rig = new Rig();
    rig.run(rig.step("a"));
    rig.answer?.abort(abortOf(Code.UNAVAILABLE, "upstream"));
    assert.deepEqual(rig.response.events, ["abort:14"]);
    assert.equal(rig.client.cancels.length, 1);
    assert.equal(rig.outcomes[0]?.by, "upstream");
  });

  it("runs without any step", () => {
    const rig = new Rig();
    const request = rig.run();
    push(request, "q", true);
    rig.answerOk();
    assert.deepEqual(rig.response.events, ["open", "headers", "data:answer", "trailers"]);
  });
});

describe("a step that waits", () => {
  it("keeps the request without giving credit, and hands it on in order afterwards", async () => {
    const rig = new Rig();
    const gate = rig.gate("gate");
    const request = rig.run(rig.step("a"), gate.step, rig.step("c"));
    push(request, "one,");
    push(request, "two,");
    request.data(text("xxthree"), 2, 7, true);
    assert.equal(rig.client.credit, 0);
    assert.equal(rig.dispatched, 0);
    gate.resolve(undefined);
    await settled();
    assert.deepEqual(rig.upstream.events, ["open", "data:one,", "data:two,", "data:three!"]);
    assert.equal(rig.client.credit, 0, "credit is the handler's to give");
    rig.upstream.source?.consumed(13);
    assert.equal(rig.client.credit, 13);
    rig.answerOk();
    assert.equal(rig.outcomes[0]?.requestBytes, 13);
    assert.deepEqual(rig.log, [
      "start a",
      "start gate",
      "start c",
      "dispatch",
      "end c 0",
      "end gate 0",
      "end a 0",
    ]);
  });

  it("hands nothing more on once the handler has given up in the midst of it", async () => {
    const rig = new Rig();
    const gate = rig.gate("gate");
    const request = rig.run(gate.step);
    push(request, "one");
    push(request, "two", true);
    rig.upstream.onEvent = (event) => {
      if (event === "data:one") rig.answer?.abort(abortOf(Code.RESOURCE_EXHAUSTED, "upstream"));
    };
    gate.resolve(undefined);
    await settled();
    assert.deepEqual(rig.upstream.events, ["open", "data:one", "abort:8"]);
  });

  it("may refuse", async () => {
    const rig = new Rig();
    const gate = rig.gate("gate");
    const request = rig.run(gate.step, rig.step("c"));
    push(request, "kept", true);
    gate.resolve(new Status(Code.RESOURCE_EXHAUSTED, "quota"));
    await settled();
    assert.deepEqual(rig.response.events, ["abort:8"]);
    assert.deepEqual(rig.log, ["start gate", "end gate 8"]);
    assert.equal(rig.dispatched, 0);
  });

  it("when the client leaves meanwhile, is notified at once, and the ends wait for it", async () => {
    const rig = new Rig();
    const gate = rig.gate("gate");
    const request = rig.run(rig.step("a"), gate.step, rig.step("c"));
    rig.call.onAbort((cause) => rig.log.push(`aborted ${cause.status.code}`));
    push(request, "kept");
    request.abort(abortOf(Code.CANCELLED));
    assert.deepEqual(rig.log, ["start a", "start gate", "aborted 1"]);
    gate.resolve(new Status(Code.UNAUTHENTICATED, "too late"));
    await settled();
    assert.deepEqual(rig.log.slice(3), ["end gate 1", "end a 1"]);
    assert.deepEqual(rig.response.events, []);
    assert.equal(rig.dispatched, 0);
  });

  it("ends the steps when it rejects after the client left", async () => {
    const rig = new Rig();
    const gate = rig.gate("gate");
    const request = rig.run(gate.step);
    request.abort(abortOf(Code.CANCELLED));
    gate.reject(new Error("aborted"));
    await settled();
    assert.deepEqual(rig.log, ["start gate", "end gate 1"]);
  });

  it("does not outlast the deadline, which names it", async () => {
    const rig = new Rig();
    const gate = rig.gate("auth-jwt");
    rig.run(
      rig.step("deadline", (call) => {
        call.deadline = 1050;
        return undefined;
      }),
      gate.step,
    );
    rig.call.deadlineCapped = true;
    rig.clock.advance(60);
    const cause = rig.response.aborted;
    assert.match(cause?.status.message ?? "", /deadline of 50 ms \(the most that is allowed here\)/);
    assert.equal(cause?.status.code, Code.DEADLINE_EXCEEDED);
    assert.match(cause?.status.message ?? "", /50 ms.*auth-jwt/);
    assert.equal(rig.call.aborted, cause);
    assert.deepEqual(rig.log, ["start deadline", "start auth-jwt"]);
    gate.resolve(undefined);
    await settled();
    assert.deepEqual(rig.log.slice(2), ["end auth-jwt 4", "end deadline 4"]);
    assert.equal(rig.dispatched, 0);
  });

  it("and settles after the deadline, but before the wheel has turned: the call is not sent", async () => {
    const rig = new Rig();
    const gate = rig.gate("gate");
    rig.call.deadline = 1049;
    rig.run(gate.step);
    rig.clock.advance(49.5);
    assert.deepEqual(rig.response.events, []);
    gate.resolve(undefined);
    await settled();
    assert.deepEqual(rig.response.events, ["abort:4"]);
    assert.match(rig.response.aborted?.status.message ?? "", /in stage: gate/);
    assert.equal(rig.dispatched, 0);
    assert.equal(rig.timers.size, 0);
  });

  it("may itself change the deadline", async () => {
    for (const [deadline, expected] of [
      [1020, ["abort:4"]],
      [5000, []],
      [undefined, []],
    ] as const) {
      const rig = new Rig();
      const gate = rig.gate("gate");
      rig.call.deadline = 1040;
      rig.run(gate.step);
      rig.call.deadline = deadline;
      gate.resolve(undefined);
      await settled();
      assert.equal(rig.dispatched, 1);
      rig.clock.advance(30);
      rig.clock.advance(30);
      assert.deepEqual(rig.response.events, expected);
      assert.equal(rig.timers.size, deadline === 5000 ? 1 : 0);
    }
  });
});

describe("the deadline of a call", () => {
  it("ends it with the stage that took the time, stops the service, and tells the client", () => {
    const rig = new Rig();
    rig.call.deadline = 1100;
    rig.onDispatch = () => {
      rig.call.stage = 'waiting for upstream "library"';
    };
    rig.run(rig.step("a"));
    rig.clock.advance(99.9);
    assert.deepEqual(rig.response.events, []);
    rig.clock.advance(6);
    assert.deepEqual(rig.response.events, ["abort:4"]);
    assert.match(rig.response.aborted?.status.message ?? "", /100 ms.*upstream "library"/);
    assert.deepEqual(rig.upstream.events, ["open", "abort:4"]);
    assert.equal(rig.outcomes[0]?.by, "hub");
  });

  it("is forgotten when the call ends before", () => {
    const rig = new Rig();
    rig.call.deadline = 1100;
    rig.run(rig.step("a"));
    assert.equal(rig.timers.size, 1);
    rig.answerOk();
    assert.equal(rig.timers.size, 0);
    rig.clock.advance(1000);
    assert.deepEqual(rig.response.late, []);
  });
});

describe("whatever the order of events", () => {
  const event = fc.constantFrom(
    "client data",
    "client last",
    "client abort",
    "admit",
    "refuse",
    "break",
    "time",
    "open",
    "headers",
    "trailers-only",
    "data",
    "trailers",
    "abort",
    "consume",
    "cut",
  );
  const shapes = fc.array(fc.constantFrom("sync", "wait", "none"), { maxLength: 4 });

  it("a call has one outcome, every started step one end, no event follows an ending, credit is not invented", async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.array(event, { maxLength: 30 }),
        fc.boolean(),
        async (kinds, events, withDeadline) => {
          const rig = new Rig();
          if (withDeadline) rig.call.deadline = 1050;
          const gates = kinds.map((kind, i) => (kind === "wait" ? rig.gate(`s${i}`) : undefined));
          const steps = kinds.map((kind, i) =>
            kind === "none" ? { name: `s${i}` } : (gates[i]?.step ?? rig.step(`s${i}`)),
          );
          let aborts = 0;
          rig.call.onAbort(() => aborts++);
          const request = rig.run(...steps);
          let clientEnded = false;
          let sent = 0;
          let taken = 0;
          let headersSent = false;
          let answered = false;
          for (const e of events) {
            const answer = answered ? undefined : rig.answer;
            const current = gates.findLast(
              (g) => g !== undefined && rig.log.includes(`start ${g.step.name}`),
            );
            switch (e) {
              case "client data":
              case "client last":
                if (clientEnded) break;
                clientEnded = e === "client last";
                sent += 3;
                push(request, "abc", clientEnded);
                break;
              case "client abort":
                clientEnded = true;
                request.abort(abortOf(Code.CANCELLED));
                break;
              case "admit":
                current?.resolve(undefined);
                break;
              case "refuse":
                current?.resolve(new Status(Code.PERMISSION_DENIED, "no"));
                break;
              case "break":
                current?.reject(new Error("broken"));
                break;
              case "time":
                rig.clock.advance(20);
                break;
              case "open":
                if (!headersSent) answer?.open(rig.service);
                break;
              case "headers":
                if (!headersSent) answer?.headers(Headers.of(), false);
                headersSent ||= answer !== undefined;
                break;
              case "trailers-only":
                if (headersSent || answer === undefined) break;
                answered = true;
                answer.headers(Headers.of(["grpc-status", "3"]), true);
                break;
              case "data":
                if (headersSent && answer !== undefined) push(answer, "xyz");
                break;
              case "trailers":
                if (!headersSent || answer === undefined) break;
                answered = true;
                answer.trailers(Headers.of(["grpc-status", "0"]));
                break;
              case "abort":
                answer?.abort(abortOf(Code.UNAVAILABLE, "upstream"));
                break;
              case "cut":
                rig.calls.cut(abortOf(Code.UNAVAILABLE, "hub"));
                break;
              case "consume": {
                const got = rig.upstream.body.length;
                if (got > taken) rig.upstream.source?.consumed(got - taken);
                taken = got;
              }
            }
            await settled();
          }
          for (const gate of gates) gate?.resolve(undefined);
          await settled();
          for (const gate of gates) gate?.resolve(undefined);
          await settled();
          for (const gate of gates) gate?.resolve(undefined);
          await settled();
          for (const gate of gates) gate?.resolve(undefined);
          await settled();
          request.abort(abortOf(Code.CANCELLED));
          await settled();

          assert.deepEqual(rig.response.late, []);
          assert.ok(
            rig.upstream.late.every((late) => late.startsWith("abort")),
            rig.upstream.late.join(),
          );
          assert.ok(rig.upstream.aborts.length <= 1);
          assert.ok(rig.dispatched <= 1);
          assert.ok(aborts <= 1);
          assert.ok(rig.client.credit <= sent, "more credit than bytes");
          assert.equal(rig.timers.size, 0);
          assert.equal(rig.calls.cut(abortOf(Code.UNAVAILABLE, "hub")), 0, "it is in the list no more");
          const starts = rig.log.filter((l) => l.startsWith("start")).map((l) => l.slice(6));
          const ends = rig.log.filter((l) => l.startsWith("end")).map((l) => l.slice(4, 6));
          assert.deepEqual(ends, starts.reverse());
          const codes = new Set(rig.log.filter((l) => l.startsWith("end")).map((l) => l.slice(7)));
          assert.ok(codes.size <= 1, `outcomes: ${[...codes].join()}`);
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe("what throws on the way of a call", () => {
  /** The first call of this function throws; the object is as before then. */
  function breaks<T extends object>(target: T, name: keyof T & string): void {
    const whole: unknown = Reflect.get(target, name);
    Reflect.set(target, name, () => {
      Reflect.set(target, name, whole);
      throw new Error("injected");
    });
  }

  const PLACES: readonly (readonly [what: string, breakIt: (rig: Rig) => void])[] = [
    ...(["open", "headers", "data", "trailers"] as const).map(
      (name) => [`the client's ${name}`, (rig: Rig) => breaks(rig.response, name)] as const,
    ),
    ...(["open", "data"] as const).map(
      (name) => [`the service's ${name}`, (rig: Rig) => breaks(rig.upstream, name)] as const,
    ),
    ["the client's credit", (rig) => breaks(rig.client, "consumed")],
    [
      "the handler",
      (rig) => {
        rig.onDispatch = () => assert.fail("injected");
      },
    ],
  ];
  for (const [what, breakIt] of PLACES) {
    it(`${what}: the call is answered by HUB_FAULT, ends once, and its two sides never see it`, () => {
      const lines: string[] = [];
      const stop = listenToFaults((line) => line !== undefined && lines.push(line));
      const rig = new Rig();
      breakIt(rig);
      const request = rig.run(rig.step("a"));
      push(request, "question", true);
      rig.upstream.source?.consumed(8);
      rig.answerOk();
      stop();
      assert.equal(rig.response.aborted?.status.code, Code.INTERNAL);
      const [id] =
        /[0-9a-f]{8}/.exec(/\(fault .*\)$/.exec(rig.response.aborted?.status.message ?? "")?.[0] ?? "") ?? [];
      assert.deepEqual(
        lines.map((line) => line.startsWith(`fault ${id} of the hub, while a call to /test.v1.Test/Get was`)),
        [true],
      );
      assert.match(lines[0] ?? "", /injected\n +at /);
      assert.deepEqual(
        rig.outcomes.map(({ code, by }) => [code, by]),
        [[Code.INTERNAL, "hub"]],
      );
      assert.equal(rig.call.aborted, rig.outcomes[0]?.cause);
      assert.equal(rig.timers.size, 0);
    });
  }

  for (const [what, breakIt] of [
    ["the client's", (rig: Rig) => breaks(rig.response, "abort")],
    ["the service's", (rig: Rig) => breaks(rig.upstream, "abort")],
  ] as const) {
    it(`${what} abort: both sides are notified of the end all the same`, () => {
      const rig = new Rig();
      breakIt(rig);
      rig.call.deadline = 1010;
      rig.run(rig.step("a"));
      rig.clock.advance(50);
      const code = what === "the client's" ? Code.INTERNAL : Code.DEADLINE_EXCEEDED;
      assert.deepEqual(
        rig.response.aborts.map(({ status }) => status.code),
        [code],
      );
      assert.deepEqual(
        rig.client.cancels.map(({ status }) => status.code),
        [Code.DEADLINE_EXCEEDED],
      );
      assert.deepEqual(
        rig.outcomes.map(({ code: outcome }) => outcome),
        [Code.DEADLINE_EXCEEDED],
      );
    });
  }

  it("a sink that is stuck or throws for ever: the deadline ends the call", () => {
    const rig = new Rig();
    rig.response.headers = () => assert.fail("injected");
    rig.response.abort = () => assert.fail("injected");
    rig.call.deadline = 1010;
    rig.run(rig.step("a"));
    rig.answerOk();
    assert.equal(rig.outcomes.length, 1);
    assert.equal(rig.timers.size, 0);
  });
});
