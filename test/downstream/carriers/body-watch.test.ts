// A body that stands still is not waited for: 408 on either version of HTTP. One that moves, or that the hub itself
// holds back, may take its time.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { BodyWatch } from "#src/downstream/carriers/body-watch.js";
import { TimerWheel } from "#src/kit/timer-wheel.js";
import { FakeClock } from "../../support/fake-clock.js";
import { turns, until } from "../../support/until.js";
import { Rig } from "../support/rig.js";

const BODY_MS = 5000;
/** The wheel is at most so much late. */
const LATE_MS = 8;

async function started(t: TestContext): Promise<{ rig: Rig; clock: FakeClock; ended: string[] }> {
  const clock = new FakeClock(1000);
  const rig = await new Rig({ limits: { bodyMs: BODY_MS }, clock }).start();
  t.after(() => rig.listener.close());
  const ended: string[] = [];
  rig.steps.push({ name: "watch", end: (_call, outcome) => ended.push(outcome.by) });
  return { rig, clock, ended };
}

/** A client whose body comes piece by piece. */
interface Sender {
  write(text: string): void;
  end(): void;
  /** The answer: its status, and then its body. */
  answer(): string;
  leave(): void;
}

const VERSIONS: Readonly<Record<string, (rig: Rig) => Sender>> = {
  "HTTP/1.1": (rig) => {
    const socket = rig.socket();
    let all = "";
    socket.on("data", (chunk) => {
      all += String(chunk);
    });
    socket.write("POST /unary HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    return {
      write: (text) => void socket.write(`${text.length.toString(16)}\r\n${text}\r\n`),
      end: () => void socket.write("0\r\n\r\n"),
      answer: () => all.replace(/^HTTP\/1\.1 /, ""),
      leave: () => socket.destroy(),
    };
  },
  "HTTP/2": (rig) => {
    const session = rig.http2();
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": "/unary" });
    let status = "";
    let body = "";
    stream.on("response", (head) => {
      status = String(head[":status"]);
    });
    stream.on("data", (chunk) => {
      body += String(chunk);
    });
    stream.on("error", () => {});
    return {
      write: (text) => void stream.write(text),
      end: () => void stream.end(),
      answer: () => (body === "" ? "" : `${status} ${body}`),
      leave: () => session.destroy(),
    };
  },
};

for (const [version, open] of Object.entries(VERSIONS)) {
  describe(`a body over ${version}`, () => {
    for (const [what, first] of [
      ["never begins", ""],
      ["stops in its midst", "half"],
    ] as const) {
      it(`that ${what}: 408 in JSON after limits.bodyTimeout, not before, and its call is over`, async (t) => {
        const { rig, clock, ended } = await started(t);
        const sender = open(rig);
        if (first !== "") sender.write(first);
        await until(() => clock.pending > 0, "the head");
        await turns();
        clock.advance(BODY_MS - LATE_MS);
        await turns();
        assert.equal(sender.answer(), "");
        clock.advance(2 * LATE_MS);
        await until(() => sender.answer().includes("}"), "the answer");
        assert.match(sender.answer(), /^408 [\s\S]*"the request's body did not go on arriving in time"/);
        await until(() => ended.length === 1, "the end of the call");
        assert.equal(rig.calls.length, 0, "no service was called");
        sender.leave();
      });
    }

    it("that drips continues: the deadline bounds it", async (t) => {
      const { rig, clock } = await started(t);
      const sender = open(rig);
      await until(() => clock.pending > 0, "the head");
      // Half of the patience each time: a piece that is late on a busy machine does not matter.
      for (let i = 0; i < 10; i++) {
        sender.write("drop");
        await turns();
        clock.advance(BODY_MS * 0.45);
        await turns();
        assert.equal(sender.answer(), "");
      }
      sender.end();
      await until(() => sender.answer().includes('"answer"'), "the answer");
      assert.match(sender.answer(), /^200 /);
      assert.match(rig.calls[0]?.request.events.join(" ") ?? "", /(drop){10}/);
      sender.leave();
    });

    it("that is whole: the answer may take as long as it likes", async (t) => {
      const { rig, clock } = await started(t);
      rig.onRequest = () => {};
      const sender = open(rig);
      sender.write("whole");
      sender.end();
      await until(() => rig.calls.length === 1, "the call");
      clock.advance(10 * BODY_MS);
      await turns();
      assert.equal(sender.answer(), "");
      rig.calls[0]?.open().message("late").end();
      await until(() => sender.answer().includes('"late"'), "the answer");
      sender.leave();
    });

    it("whose client leaves: nothing is left to wait for", async (t) => {
      const { rig, clock, ended } = await started(t);
      const sender = open(rig);
      sender.write("half");
      await until(() => clock.pending > 0, "the head");
      await turns();
      sender.leave();
      await until(() => ended.length === 1, "the end of the call");
      clock.advance(2 * BODY_MS);
      assert.deepEqual(ended, ["client"]);
    });
  });
}

describe("the watch", () => {
  function watched(patienceMs = BODY_MS): { clock: FakeClock; watch: BodyWatch; still: () => number } {
    const clock = new FakeClock(1000);
    const watch = new BodyWatch(new TimerWheel(clock), patienceMs);
    let still = 0;
    watch.start(() => still++);
    return { clock, watch, still: () => still };
  }

  it("does not count time in which the hub holds the client back", () => {
    const { clock, watch, still } = watched();
    watch.came(100);
    clock.advance(10 * BODY_MS);
    assert.equal(still(), 0);
    watch.taken(100);
    clock.advance(BODY_MS - 1);
    assert.equal(still(), 0);
    clock.advance(LATE_MS + 1);
    assert.equal(still(), 1);
  });

  it("tells once", () => {
    const { clock, still } = watched();
    clock.advance(100 * BODY_MS);
    assert.equal(still(), 1);
  });

  it("never tells when it is off", () => {
    const { clock, still } = watched(Number.POSITIVE_INFINITY);
    clock.advance(1000 * BODY_MS);
    assert.equal(still(), 0);
  });
});
