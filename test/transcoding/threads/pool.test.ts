// The threads for large messages: each job comes back to who gave it, what waits is bounded, and a thread that dies is
// replaced.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import type { Worker } from "node:worker_threads";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { type Job, planSource } from "#src/transcoding/threads/job.js";
import { type Outcome, ThreadPool } from "#src/transcoding/threads/pool.js";
import { threadSchema } from "#src/transcoding/threads/schema.js";
import { PLAIN } from "#src/transcoding/translate/response.js";
import { compileProtos, routerFor } from "../support/schema.js";

const registry = compileProtos({
  "pool/v1/pool.proto": `syntax = "proto3"; package pool.v1;
    import "google/api/annotations.proto"; import "google/protobuf/struct.proto";
    message Note { string text = 1; google.protobuf.Value value = 2; }
    service Notes { rpc Make(Note) returns (Note) { option (google.api.http) = { post: "/v1/notes" body: "*" }; } }`,
});
const plan = routerFor(registry).plans[0] ?? assert.fail();
const schemaOf = () => threadSchema(new Codecs(registry), plan.descriptor.parent.file);
const options = {
  unknownFields: "reject",
  unknownQuery: "reject",
  ignoredQuery: new Set<string>(),
  bareSystemParameters: false,
  read: {},
} as const;

function jobOf(json: string): Job {
  const path = { raw: ["v1", "notes"], decoded: ["v1", "notes"], tail: undefined };
  const bytes = Buffer.from(json);
  return {
    kind: "text",
    plan: planSource(plan),
    bytes,
    contentType: undefined,
    path,
    query: "",
    overridden: false,
    options,
  };
}

const run = (pool: ThreadPool, job: Job, schema = schemaOf()): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    if (pool.run(schema, job, resolve) === undefined) reject(new Error("too much waits"));
  });

function textOf(outcome: Outcome): string {
  if (!("bytes" in outcome)) assert.fail(JSON.stringify(outcome));
  return new Codecs(registry).of(plan.descriptor.input).decode(outcome.bytes).toString();
}

describe("the threads for large messages", () => {
  it("give each job's outcome to who gave it, of more schemas than a thread keeps", async () => {
    const pool = new ThreadPool();
    const schemas = Array.from({ length: 11 }, schemaOf);
    const texts = Array.from({ length: 44 }, (_, i) => `{"text":"message ${i}"}`);
    const outcomes = await Promise.all(texts.map((text, i) => run(pool, jobOf(text), schemas[i % 11])));
    assert.deepEqual(outcomes.map(textOf), texts);
    assert.ok(pool.size >= 1 && pool.size <= 4, `${pool.size} threads`);
  });

  it("let no more wait than the bound, and answer all that they have taken", async () => {
    const pool = new ThreadPool({ maxWaitingBytes: { request: 100_000, response: 200_000 } });
    const text = `{"text":"${"x".repeat(10_000)}"}`;
    const schema = schemaOf();
    const taken: Promise<Outcome>[] = [];
    let refused = 0;
    for (let i = 0; i < 100; i++) {
      const given = run(pool, jobOf(text), schema);
      taken.push(given);
      given.catch(() => refused++);
    }
    assert.ok(pool.waiting * text.length <= 100_000, `${pool.waiting} wait`);
    // Answers may wait where uploads may not any more.
    const { bytes } = jobOf(text);
    const answer = run(pool, { kind: "response", plan: planSource(plan), bytes, form: PLAIN }, schema);
    const settled = await Promise.allSettled(taken);
    const good = settled.filter((s) => s.status === "fulfilled").map((s) => textOf(s.value));
    assert.ok(good.length >= 9 && good.every((t) => t === text), `${good.length} answered`);
    assert.equal(refused, 100 - good.length);
    assert.ok(refused > 0);
    assert.ok("status" in (await answer), "what is no message cannot be printed");
    assert.equal(pool.waiting, 0);
    assert.equal(textOf(await run(pool, jobOf(text), schema)), text);
  });

  it("take one message that is larger than the bound", async () => {
    const pool = new ThreadPool({ maxWaitingBytes: { request: 10, response: 10 } });
    const text = `{"text":"${"x".repeat(1000)}"}`;
    assert.equal(textOf(await run(pool, jobOf(text))), text);
  });

  it("drop cancelled jobs, whether they wait or run", async () => {
    const pool = new ThreadPool();
    const schema = schemaOf();
    const done: number[] = [];
    const cancels = Array.from({ length: 12 }, (_, i) =>
      pool.run(schema, jobOf(`{"text":"${i}"}`), () => done.push(i)),
    );
    for (const [i, cancel] of cancels.entries()) if (i !== 7) cancel?.();
    assert.ok(pool.waiting <= 1, `${pool.waiting} wait`);
    await run(pool, jobOf("{}"), schema);
    while (done.length === 0) await new Promise(setImmediate);
    assert.deepEqual(done, [7]);
    assert.equal(pool.waiting, 0);
  });

  // V8 may abort the process when a thread has really used up its heap: here the thread is ended, with the error for it.
  for (const code of [undefined, "ERR_WORKER_OUT_OF_MEMORY"]) {
    it(`are replaced where one dies (${code ?? "without a word"}), and its message alone is lost`, async () => {
      const pool = new ThreadPool();
      const schema = schemaOf();
      process.once("worker", (worker: Worker) => {
        if (code !== undefined) worker.emit("error", Object.assign(new Error("no memory"), { code }));
        void worker.terminate();
      });
      const outcomes = await Promise.all(
        ["a", "b", "c"].map((text) => run(pool, jobOf(`{"text":"${text}"}`), schema)),
      );
      const lost = outcomes.filter((outcome) => "lost" in outcome);
      assert.deepEqual(
        lost.map(({ outOfMemory }) => outOfMemory),
        [code !== undefined],
      );
      assert.equal(outcomes.filter((outcome) => "bytes" in outcome).length, 2);
    });
  }

  it("keep no process alive", () => {
    // This one would run into its timeout.
    const script = `const { ThreadPool } = await import("#src/transcoding/threads/pool.js");
      const none = new Uint8Array();
      const plan = { service: "x", method: "y" };
      new ThreadPool().run({ service: none, types: none, options: {} }, { kind: "response", plan, bytes: none }, ({ fault }) =>
        console.log(fault));`;
    const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: 60_000 });
    assert.match(said.toString(), /x\/y is not known in this thread/);
  });
});
