// What the log says of an upstream: learned, changed, lost, back; and little of one that flaps.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { schemaChanges } from "#src/hub/upstreams/schema-changes.js";
import { type KnownSchema, UpstreamLog } from "#src/hub/upstreams/upstream-log.js";
import { type Schema, schemaFromFiles } from "#src/schema/types/schema.js";
import { echoFile, filesOf, method } from "../schema/support/files.js";
import { FakeClock } from "../support/fake-clock.js";

const schemaOf = (...inits: Parameters<typeof filesOf>) => schemaFromFiles(filesOf(...inits));
const ECHO = schemaOf(echoFile("a.v1"));
const service = (pkg: string, ...methods: string[]) =>
  echoFile(pkg, {
    service: [{ name: "Echo", method: methods.map((name) => method(name, `.${pkg}.Text`)) }],
  });

const MORE = schemaOf(echoFile("a.v1"), echoFile("a.v2", { name: "b.proto" }));

function known(schema: Schema, remembered?: number): KnownSchema {
  return { schema, remembered };
}

function rig() {
  const lines: string[] = [];
  const clock = new FakeClock(1_000_000);
  const add = (message: string): void => void lines.push(message);
  const log = new UpstreamLog("x", { info: add, warn: add, error: add }, clock);
  const say = (address: string, state: string): void => log.endpoint({ address, state, problem: "refused" });
  return { lines, clock, log, say };
}

describe("schemas", () => {
  test("learned, and then changed", () => {
    const { lines, log } = rig();
    log.schema(undefined, known(ECHO));
    log.schema(known(ECHO), known(MORE));
    assert.match(lines[0] ?? "", /^upstream "x": learned: 1 service, \d+ methods?$/);
    assert.equal(lines[1], 'upstream "x": its schema has changed: added service a.v2.Echo');
  });

  test("remembered, and then learned or changed", () => {
    const at = Date.UTC(2026, 0, 2, 3, 4, 5);
    const { lines, log } = rig();
    log.schema(undefined, known(ECHO, at));
    log.schema(known(ECHO, at), known(ECHO));
    log.schema(known(ECHO, at), known(MORE));
    assert.deepEqual(lines, [
      'upstream "x": not learned yet, its schema is remembered, from 2026-01-02T03:04:05.000Z: 1 service, 1 method',
      'upstream "x": learned: 1 service, 1 method, as it was remembered',
      'upstream "x": its schema has changed since it was remembered, on 2026-01-02T03:04:05.000Z: added service a.v2.Echo',
    ]);
  });

  const names = (count: number, prefix = "M") => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  for (const [before, after, said] of [
    [["Get"], ["Get", "Put"], "added a.Echo/Put"],
    [["Get", "Put"], ["Put"], "removed a.Echo/Get"],
    [["Get"], ["Put"], "added a.Echo/Put; removed a.Echo/Get"],
    [["Get"], ["Get"], "messages or options, the methods are the same"],
    [[], names(7), "added a.Echo/M0, a.Echo/M1, a.Echo/M2, a.Echo/M3, a.Echo/M4 and 2 more"],
  ] as const)
    test(`${before} to ${after.slice(0, 3)}: ${said}`, () => {
      assert.equal(schemaChanges(schemaOf(service("a", ...before)), schemaOf(service("a", ...after))), said);
    });
});

test("a source of endpoints: each of its problems once, and that they are over", () => {
  const { lines, log } = rig();
  for (const problem of ["away", "away", "garbage", "garbage", undefined, undefined, "away", undefined])
    log.source(problem);
  assert.deepEqual(
    lines.map((line) => line.replace(/^.*out of date: /, "")),
    ["away", "garbage", 'upstream "x": its endpoints are known again'],
  );
});

describe("endpoints", () => {
  test("lost and back, and nothing of the first connection or of those between", () => {
    const { lines, say } = rig();
    for (const state of ["connecting", "ready", "ready", "connecting", "ready", "idle", "ready"])
      say("h:1", state);
    assert.deepEqual(lines, []);
    for (const state of ["backoff", "backoff", "connecting", "ready", "ready"]) say("h:1", state);
    assert.deepEqual(lines, ['upstream "x": h:1 is lost: refused', 'upstream "x": h:1 is back']);
  });

  test("one that never connected is reported by the learning", () => {
    const { lines, say } = rig();
    for (const state of ["connecting", "backoff", "connecting", "backoff"]) say("h:1", state);
    assert.deepEqual(lines, []);
  });

  test("one that flaps has a line for a minute, and one in the end where it stays away", () => {
    const { lines, clock, say } = rig();
    for (let i = 0; i < 5; i++) {
      say("h:1", "ready");
      say("h:1", "backoff");
      clock.advance(1_000);
    }
    assert.deepEqual(lines, ['upstream "x": h:1 is lost: refused', 'upstream "x": h:1 is back']);
    clock.advance(60_000);
    assert.deepEqual(lines.slice(2), [
      'upstream "x": h:1 is lost, 5 times since the last line of it: refused',
    ]);
    say("h:1", "ready");
    assert.equal(lines.at(-1), 'upstream "x": h:1 is back');
    assert.equal(clock.pending, 0);
  });

  test("one whose health flaps has a line for a minute, and one in the end where it stays out", () => {
    const { lines, log, clock } = rig();
    for (let i = 0; i < 100; i++) {
      log.health("a:1", "unhealthy: it says NOT_SERVING");
      log.health("a:1", undefined);
      clock.advance(100);
    }
    assert.deepEqual(lines.splice(0), [
      'upstream "x": a:1 gets no calls: unhealthy: it says NOT_SERVING',
      'upstream "x": a:1 gets calls again',
    ]);
    log.health("a:1", "ejected: 5 failures in a row");
    clock.advance(49_999);
    assert.deepEqual(lines, []);
    clock.advance(1);
    assert.deepEqual(lines.splice(0), ['upstream "x": a:1 gets no calls: ejected: 5 failures in a row']);
    log.health("a:1", undefined);
    log.health("a:1", "again");
    log.retain([]);
    assert.deepEqual([lines.length, clock.pending], [1, 0]);
    log.health("b:1", "out");
    log.health("b:1", undefined);
    log.health("b:1", "again");
    log.close();
    assert.equal(clock.pending, 0);
  });

  test("of one that is not in the config any more, or of a closed upstream, nothing comes", () => {
    for (const end of [(log: UpstreamLog) => log.retain([]), (log: UpstreamLog) => log.close()]) {
      const { lines, clock, log, say } = rig();
      for (const state of ["ready", "backoff", "ready", "backoff"]) say("h:1", state);
      assert.equal(clock.pending, 1);
      end(log);
      assert.equal(clock.pending, 0);
      assert.equal(lines.length, 2);
    }
  });
});
