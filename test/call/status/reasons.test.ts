// The catalogue of refusals is the one in the code, the one in the documentation, and the one that callers see.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ErrorInfo } from "#generated/google/rpc/error_details.js";
import { ERROR_DOMAIN, REASONS, type Reason, refusal } from "#src/call/status/reasons.js";
import { errorsPage } from "#src/call/status/reasons-page.js";
import { Code, httpStatusOf } from "#src/call/status/status.js";
import { Headers } from "#src/kit/headers.js";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const all = Object.keys(REASONS) as Reason[];

describe("every reason", () => {
  const source = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith("reasons.ts"))
    .map((path) => readFileSync(join(ROOT, "src", path), "utf8"))
    .join("\n");

  for (const reason of all) {
    it(`${reason} has a code, a status, a sentence of when and one of what helps, and somebody who uses it`, () => {
      const { when, remedy } = REASONS[reason];
      assert.match(reason, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
      assert.ok(reason.length <= 63); // google.rpc.ErrorInfo
      for (const sentence of [when, remedy]) assert.match(sentence, /^[A-Z0-9`].*\.$/s);
      assert.ok(source.includes(`"${reason}"`), "nobody refuses so: take it out of the catalogue");
    });
  }
});

describe("a refusal", () => {
  it("has the catalogue's code and status, and a reason for programs", () => {
    for (const reason of all) {
      const status = refusal(reason, "m", { info: { a: "b" } });
      const { code, http } = REASONS[reason];
      assert.equal(status.code, Code[code]);
      assert.equal(status.http, http ?? httpStatusOf(Code[code]));
      const [first] = status.details;
      assert.ok(first);
      assert.equal(first.typeUrl, "type.googleapis.com/google.rpc.ErrorInfo");
      assert.deepEqual(ErrorInfo.decode(first.value), { reason, domain: ERROR_DOMAIN, metadata: { a: "b" } });
    }
  });

  it("keeps its hint to itself until asked, and all the rest then", () => {
    const init = { hint: " (10.0.0.1)", metadata: Headers.of(["retry-after", "1"]), cause: "c", http: 418 };
    const status = refusal("UPSTREAM_UNAVAILABLE", "down", init);
    assert.equal(status.message, "down");
    const open = status.withHint();
    assert.equal(open.message, "down (10.0.0.1)");
    assert.deepEqual(
      [open.code, open.http, open.details, open.metadata, open.cause],
      [status.code, 418, status.details, init.metadata, "c"],
    );
    let asked = 0;
    const dear = refusal("NO_ROUTE", "m", { hint: () => `; ${++asked}` }).withMessage("n");
    assert.equal(asked, 0);
    assert.equal(dear.withHint().message, "n; 1");
    const plain = refusal("NO_ROUTE", "m");
    assert.equal(plain.withHint(), plain);
  });

  it("of another code has the HTTP status of that code", () => {
    assert.equal(refusal("RESPONSE_TOO_LARGE", "m").http, 502);
    assert.equal(refusal("RESPONSE_TOO_LARGE", "m", { code: Code.UNIMPLEMENTED }).http, 501);
  });
});

it("docs/errors.md is made from the catalogue (node tools/write-errors.mjs)", () => {
  assert.equal(readFileSync(join(ROOT, "docs/errors.md"), "utf8"), errorsPage());
});

/** Without examples in docstrings. */
const codeOf = (text: string): string => text.replaceAll(/^ *\*.*$/gm, "");

it("no refusal of the hub is made without a reason", () => {
  // Statuses that no client sees, that services sent, or that only say that the client itself left.
  const allowed =
    /^(call\/status\/(status|reasons)\.ts|upstream\/raw-stream\.ts|tls\/.*|telemetry\/.*|admin\/.*|services\/.*|samples\/.*|interceptors\/auth.*|schema\/.*)$/;
  const bare = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !allowed.test(path))
    .flatMap((path) =>
      [...codeOf(readFileSync(join(ROOT, "src", path), "utf8")).matchAll(/new Status\(\s*Code\.(\w+)/g)]
        .filter((match) => match[1] !== "CANCELLED")
        .map((match) => `${path}: ${match[0]}`),
    );
  assert.deepEqual(bare, []);
});
