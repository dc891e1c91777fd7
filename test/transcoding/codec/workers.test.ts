// Large messages are transcoded in threads: the same bytes, the same refusals, and the event loop goes on.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { before, describe, it } from "node:test";
import type { DescField, FileRegistry } from "@bufbuild/protobuf";
import { type CodecOptions, Codecs, DecodeError, type MessageCodec } from "#src/transcoding/codec/codecs.js";
import { CODEC_WORKERS } from "#src/transcoding/codec/workers.js";
import { compileProtos } from "../support/schema.js";

const PROTO = `syntax = "proto3"; package test.v1;
  import "google/protobuf/timestamp.proto";
  message Item { string name = 1; int64 size = 2; map<string, string> labels = 3; google.protobuf.Timestamp at = 4; }
  message Items { repeated Item items = 1; string text = 2; }`;
const ITEM = { name: "item “one”", size: "12345678901", labels: { a: "b" }, at: "2024-05-01T10:00:00Z" };

describe("large messages", () => {
  let registry: FileRegistry;
  before(() => {
    registry = compileProtos({ "test/v1/items.proto": PROTO });
  });
  const codec = (options?: CodecOptions): MessageCodec => {
    const desc = registry.getMessage("test.v1.Items");
    assert.ok(desc !== undefined);
    return new Codecs(registry, options).of(desc);
  };
  const text = Buffer.from(JSON.stringify({ items: Array.from({ length: 12_000 }, () => ITEM) }));

  it("are the same bytes as in this thread, both ways", async () => {
    const items = codec();
    const here = items.encodeText(text);
    assert.ok(here instanceof Uint8Array);
    const there = await items.encodeLarge(text);
    assert.ok(there instanceof Uint8Array);
    assert.equal(Buffer.compare(here, there), 0);
    assert.equal(Buffer.compare(await items.decodeLarge(here), items.decode(here)), 0);
    const field = items.desc.fields.find((f): f is DescField => f.name === "items");
    assert.ok(field !== undefined);
    assert.equal(
      Buffer.compare(await items.decodeFieldLarge(field, here), items.decodeField(field, here)),
      0,
    );
  });

  it("keep the options of their codec", async () => {
    const lax = codec({ unknownFields: "ignore", print: { emitDefaults: true } });
    const encoded = await lax.encodeLarge(Buffer.from('{"nothing":1,"items":[{}]}'));
    assert.ok(encoded instanceof Uint8Array);
    const printed = (await lax.decodeLarge(encoded)).toString();
    assert.equal(printed, '{"items":[{"name":"","size":"0","labels":{}}],"text":""}');
  });

  it("are refused with the same words", async () => {
    const items = codec();
    const wrong = Buffer.from('{"items":[{"nmae":"x"}]}');
    assert.deepEqual(await items.encodeLarge(wrong), items.encodeText(wrong));
    assert.deepEqual(await items.encodeLarge(Buffer.from("{")), items.encodeText(Buffer.from("{")));
    await assert.rejects(items.decodeLarge(Buffer.from([0x0a, 0x05])), DecodeError);
  });

  it("come back each to its caller, many at a time, of more schemas than a thread keeps", async () => {
    const codecs = Array.from({ length: 7 }, () => codec());
    const texts = Array.from({ length: 42 }, (_, i) => `{"text":"message ${i}"}`);
    const encoded = await Promise.all(texts.map((t, i) => codecs[i % 7]?.encodeLarge(Buffer.from(t))));
    for (const [i, bytes] of encoded.entries()) {
      assert.ok(bytes instanceof Uint8Array);
      assert.equal(codecs[0]?.decode(bytes).toString(), texts[i]);
    }
    assert.ok(CODEC_WORKERS.size <= 4, `${CODEC_WORKERS.size} threads`);
  });

  it("leave the event loop free, and end with the process", async () => {
    const items = codec();
    let done = false;
    let turns = 0;
    const work = items
      .encodeLarge(Buffer.concat([text.subarray(0, -2), Buffer.from(","), text.subarray(10)]))
      .finally(() => {
        done = true;
      });
    while (!done) {
      turns++;
      await new Promise(setImmediate);
    }
    assert.ok((await work) instanceof Uint8Array);
    // A few turns are what sending and receiving take.
    assert.ok(turns > 10, `the event loop turned ${turns} times while the thread worked`);
    // Idle threads keep no process: this one would run into its timeout.
    const script = `const { CODEC_WORKERS } = await import("#src/transcoding/codec/workers.js");
      await CODEC_WORKERS.run({ files: new Uint8Array(), options: {} }, { kind: "decode", type: "x", field: 0, bytes: new Uint8Array() })
        .catch((e) => console.log(e.message));`;
    const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], { timeout: 8000 });
    assert.match(said.toString(), /x is not known in this thread/);
  });
});
