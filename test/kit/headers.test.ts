import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { field, Headers } from "#src/kit/headers.js";

describe("headers", () => {
  const received = [
    field("a", "1"),
    field("b", "2"),
    field("a", "3"),
    field("authorization", "secret", true),
  ];

  it("are read by name: the first, or all in order", () => {
    const headers = new Headers(received);
    assert.equal(headers.get("a"), "1");
    assert.deepEqual(headers.getAll("a"), ["1", "3"]);
    assert.equal(headers.get("c"), undefined);
    assert.deepEqual(headers.getAll("c"), []);
  });

  it("share what was received until the first edit, and never change it", () => {
    const one = new Headers(received);
    const other = new Headers(received);
    assert.equal(one.fields, received);
    one.append("c", "4");
    one.set("a", "5");
    one.delete("b");
    one.set("token", "x", true);
    assert.deepEqual(
      one.fields.map((f) => `${f.name}=${f.value}${f.sensitive ? "!" : ""}`),
      ["authorization=secret!", "c=4", "a=5", "token=x!"],
    );
    assert.equal(other.fields, received);
    assert.deepEqual(
      received.map((f) => f.name),
      ["a", "b", "a", "authorization"],
    );
  });

  it("do not copy for a name that is not there", () => {
    const headers = new Headers(received);
    headers.delete("zzz");
    assert.equal(headers.fields, received);
  });

  it("take no field that would break a message, or split it", () => {
    for (const [name, value] of [
      ["Upper", "x"],
      ["", "x"],
      ["a b", "x"],
      [":path", "x"],
      ["a", "x\r\nb: y"],
      ["a", " x"],
      ["a", "x\u0000"],
      ["a", "x\u010a"],
    ] as const) {
      assert.throws(() => new Headers().append(name, value), TypeError);
    }
    const headers = Headers.of();
    headers.append("a", "");
    headers.append("b", "caf\u00e9 \t au lait");
    assert.equal(headers.fields.length, 2);
  });
});
