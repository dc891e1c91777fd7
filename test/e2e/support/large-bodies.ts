// Uploads and downloads of google.api.HttpBody larger than the hub may hold: in all their length, in bounded memory.
import assert from "node:assert/strict";
import { request as request1 } from "node:http";
import { connect } from "node:http2";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, describe, test } from "node:test";
import { bytesAt } from "./files.js";
import { openHttp, VERSIONS, type Version } from "./http.js";
import { type Hub, startHub } from "./hub.js";
import { peakResidentBytes, residentBytes } from "./memory.js";
import { startService } from "./service.js";

const MIB = 1024 * 1024;
const PIECE_BYTES = 60_000;
/** The most that the hub may grow while all of it passes: mostly garbage not collected yet. */
const MAX_GROWTH_BYTES = 96 * MIB;
/** That of Node 20: later ones let garbage grow further, which says nothing of what is held. */
const YOUNG_GENERATION = "--max-semi-space-size=16";

/** Defines the tests for bodies of this size. */
export function testLargeBodies(bytes: number): void {
  describe(`${bytes / MIB} MiB as they are`, async () => {
    const scope = { after };
    const files = await startService(scope, "files");

    const hubOf = async (): Promise<{ hub: Hub; before: number }> => {
      const hub = await startHub(scope, [`files=${files.address}`], { nodeOptions: [YOUNG_GENERATION] });
      await upload("2", hub.address, 4 * MIB);
      return { hub, before: residentBytes(hub.program.pid) };
    };
    const assertBounded = (t: { diagnostic(message: string): void }, hub: Hub, before: number): void => {
      const growth = peakResidentBytes(hub.program.pid) - before;
      t.diagnostic(`the hub grew by ${(growth / MIB).toFixed(1)} MiB`);
      assert.ok(growth < MAX_GROWTH_BYTES, `the hub grew by ${(growth / MIB).toFixed(1)} MiB`);
    };

    for (const version of VERSIONS) {
      test(`up over HTTP/${version}`, async (t) => {
        const { hub, before } = await hubOf();
        const answer = await upload(version, hub.address, bytes);
        assert.equal(Object(answer).byteCount, String(bytes));
        assertBounded(t, hub, before);
      });

      test(`down over HTTP/${version}`, async (t) => {
        const { hub, before } = await hubOf();
        const { answer } = openHttp(version, hub.address, `/test/v1/files/x?bytes=${bytes}`);
        let at = 0;
        for await (const chunk of (await answer).body) {
          assert.ok(Buffer.isBuffer(chunk));
          assert.ok(chunk.equals(bytesAt(at, chunk.length)), `the bytes at ${at}`);
          at += chunk.length;
        }
        assert.equal(at, bytes);
        assertBounded(t, hub, before);
      });
    }
  });
}

function* pieces(bytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes; at += PIECE_BYTES) yield bytesAt(at, Math.min(PIECE_BYTES, bytes - at));
}

async function upload(version: Version, address: string, bytes: number): Promise<unknown> {
  const path = "/test/v1/bodies";
  const headers = { "content-type": "application/octet-stream" };
  let writable: Writable;
  let readable: Promise<Readable>;
  let close = (): void => {};
  if (version === "2") {
    const session = connect(`http://${address}`);
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    writable = stream;
    readable = Promise.resolve(stream);
    close = () => session.close();
  } else {
    const request = request1(`http://${address}${path}`, { method: "POST", headers, agent: false });
    writable = request;
    readable = new Promise((resolve, reject) => {
      request.on("error", reject);
      request.on("response", resolve);
    });
  }
  await pipeline(Readable.from(pieces(bytes)), writable);
  let text = "";
  for await (const chunk of await readable) text += String(chunk);
  close();
  return JSON.parse(text);
}
