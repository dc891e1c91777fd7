// Each place where the hub is extended takes an addition as one folder or file, and one entry in a list.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PROTOCOLS } from "#src/downstream/accept/protocols.js";
import { type Answer, ask1, ask2, Rig } from "./downstream/support/rig.js";
import { TOY_TYPE, toy } from "./support/toy-protocol.js";

const MANY_FIELDS = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, "1"]));

for (const [version, ask] of [
  ["1.1", ask1],
  ["2", ask2],
] as const)
  test(`a client protocol is a folder and an entry in the list: served over HTTP/${version}`, async (t) => {
    const rig = new Rig({ protocols: [toy, ...PROTOCOLS] });
    await rig.start();
    t.after(() => rig.listener.close());
    const ends: string[] = [];
    rig.steps.push({
      name: "seen",
      end: ({ peer, httpVersion }, { code }) => void ends.push(`${peer.protocol} ${httpVersion} ${code}`),
    });
    const told = ({ status, headers, body }: Answer): string => `${status} ${headers["x-toy-code"]} ${body}`;
    const call = (path: string, headers = {}): Promise<Answer> =>
      ask(rig, { path, headers: { "content-type": TOY_TYPE, ...headers }, body: "question" });

    // The service sees a gRPC message, the client its own form.
    rig.onRequest = (service) =>
      service
        .open()
        .message(`to ${service.request.body.slice(5)}`)
        .end();
    assert.equal(told(await call("/test.v1.Test/unary")), "200 0 to question");

    // What fails there.
    rig.onRequest = (service) => service.trailersOnly(5, ["grpc-message", "no such thing"]);
    assert.equal(told(await call("/test.v1.Test/unary")), "200 5 no such thing");

    // What a step refuses, and what is refused before it is read to its end, or before there is a call.
    const calls = ends.length;
    assert.match(
      told(await call("/test.v1.Test/unary", MANY_FIELDS)),
      /^200 8 the request has more than 128/,
    );
    assert.equal(ends.length - calls, version === "2" ? 0 : 1, "over HTTP/1.1 it was read, and is a call");

    // All others go on as before, on the same port.
    rig.onRequest = (service) => service.open().message("answer").end();
    const plain = await ask(rig, { method: "GET", path: "/unary" });
    assert.deepEqual([plain.status, plain.body], [200, '"answer"']);
    assert.deepEqual(
      ends.filter((_, i) => i !== 2 || version === "2"),
      [`toy ${version} 0`, `toy ${version} 5`, `rest ${version} 0`],
    );
  });

test("a protocol that is not in the list is not spoken", async (t) => {
  const rig = await new Rig().start();
  t.after(() => rig.listener.close());
  const { status, headers } = await ask1(rig, {
    path: "/nowhere",
    headers: { "content-type": TOY_TYPE },
    body: "question",
  });
  assert.deepEqual([status, headers["x-toy-code"]], [404, undefined]);
});
