import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  Code,
  codeFromHttpStatus,
  codeName,
  connectCodeName,
  decodeGrpcMessage,
  decodeStatusProto,
  encodeGrpcMessage,
  encodeStatusProto,
  httpStatusOf,
  parseGrpcStatus,
  Status,
  statusFromTrailers,
} from "#src/call/status/status.js";
import { Headers } from "#src/kit/headers.js";

describe("gRPC codes", () => {
  const table: [name: keyof typeof Code, http: number, connect: string][] = [
    ["OK", 200, "ok"],
    ["CANCELLED", 499, "canceled"],
    ["UNKNOWN", 500, "unknown"],
    ["INVALID_ARGUMENT", 400, "invalid_argument"],
    ["DEADLINE_EXCEEDED", 504, "deadline_exceeded"],
    ["NOT_FOUND", 404, "not_found"],
    ["ALREADY_EXISTS", 409, "already_exists"],
    ["PERMISSION_DENIED", 403, "permission_denied"],
    ["RESOURCE_EXHAUSTED", 429, "resource_exhausted"],
    ["FAILED_PRECONDITION", 400, "failed_precondition"],
    ["ABORTED", 409, "aborted"],
    ["OUT_OF_RANGE", 400, "out_of_range"],
    ["UNIMPLEMENTED", 501, "unimplemented"],
    ["INTERNAL", 500, "internal"],
    ["UNAVAILABLE", 503, "unavailable"],
    ["DATA_LOSS", 500, "data_loss"],
    ["UNAUTHENTICATED", 401, "unauthenticated"],
  ];
  for (const [number, [name, http, connect]] of table.entries()) {
    it(`${number} is ${name}, HTTP ${http}`, () => {
      assert.equal(Code[name], number);
      assert.equal(codeName(number), name);
      assert.equal(httpStatusOf(number), http);
      assert.equal(connectCodeName(number), connect);
    });
  }
  it("that do not exist are UNKNOWN", () => {
    for (const code of [-1, 17, 999, 1.5, Number.NaN]) {
      assert.equal(codeName(code), "UNKNOWN");
      assert.equal(httpStatusOf(code), 500);
      assert.equal(connectCodeName(code), "unknown");
    }
  });

  const fromHttp: [number, number][] = [
    [400, Code.INTERNAL],
    [401, Code.UNAUTHENTICATED],
    [403, Code.PERMISSION_DENIED],
    [404, Code.UNIMPLEMENTED],
    [429, Code.UNAVAILABLE],
    [502, Code.UNAVAILABLE],
    [503, Code.UNAVAILABLE],
    [504, Code.UNAVAILABLE],
    [200, Code.UNKNOWN],
    [302, Code.UNKNOWN],
    [418, Code.UNKNOWN],
    [500, Code.UNKNOWN],
  ];
  for (const [http, code] of fromHttp) {
    it(`HTTP ${http} without grpc-status is ${codeName(code)}`, () =>
      assert.equal(codeFromHttpStatus(http), code));
  }

  it("are read from grpc-status, UNKNOWN if it is malformed", () => {
    const cases: [string | undefined, number][] = [
      ["0", 0],
      ["5", 5],
      ["16", 16],
      ["77", 77],
      ["", 2],
      ["-1", 2],
      ["1.0", 2],
      [" 0", 2],
      ["0x0", 2],
      ["OK", 2],
      ["99999999999", 2],
      [undefined, 2],
    ];
    for (const [value, code] of cases) assert.equal(parseGrpcStatus(value), code, String(value));
  });
});

describe("grpc-message", () => {
  const cases: [plain: string, encoded: string][] = [
    ["", ""],
    ["no such book", "no such book"],
    ["100%", "100%25"],
    ["%41", "%2541"],
    ["a\nb\r\tc", "a%0Ab%0D%09c"],
    ["ünï", "%C3%BCn%C3%AF"],
    ["📚", "%F0%9F%93%9A"],
    ["~ !\"#$&'()", "~ !\"#$&'()"],
    ["\x7f\0", "%7F%00"],
    // Space at either end would be lost, or make the field malformed (RFC 9113 §8.2.1).
    [" padded ", "%20padded%20"],
    [" ", "%20"],
  ];
  for (const [plain, encoded] of cases) {
    it(`${JSON.stringify(plain)} is sent as ${JSON.stringify(encoded)}`, () => {
      assert.equal(encodeGrpcMessage(plain), encoded);
      assert.equal(decodeGrpcMessage(encoded), plain);
    });
  }

  const lenient: [encoded: string, plain: string][] = [
    ["50%", "50%"],
    ["50%2", "50%2"],
    ["%zz%41", "%zzA"],
    ["%%41", "%A"],
    ["%c3%bc", "ü"],
    ["%FF", "\ufffd"],
    ["%C3", "\ufffd"],
    // Raw UTF-8, as some servers send it: field values come as ISO-8859-1 text.
    ["\u00c3\u00bc", "ü"],
    ["\u00c3\u00bc %41", "ü A"],
  ];
  for (const [encoded, plain] of lenient) {
    it(`${JSON.stringify(encoded)} is read as ${JSON.stringify(plain)}`, () => {
      assert.equal(decodeGrpcMessage(encoded), plain);
    });
  }

  it("comes back unchanged, and is always a valid field value", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (message) => {
        const encoded = encodeGrpcMessage(message);
        assert.match(encoded, /^([!-~]([ -~]*[!-~])?)?$/);
        assert.equal(decodeGrpcMessage(encoded), message);
      }),
    );
  });

  it("of any text is read without failing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => typeof decodeGrpcMessage(value) === "string"),
    );
  });
});

describe("grpc-status-details-bin", () => {
  const full = new Status(Code.NOT_FOUND, "no book", {
    details: [
      { typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: Buffer.from([10, 1, 65]) },
      { typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: Buffer.alloc(0) },
    ],
  });
  const bytes = Buffer.from(encodeStatusProto(full));
  const read = (code: string, bin: string): Status =>
    statusFromTrailers(
      Headers.of(["grpc-status", code], ["grpc-message", "m%20m"], ["grpc-status-details-bin", bin]),
    );

  it("round-trips", () => {
    const back = decodeStatusProto(bytes);
    assert.equal(back?.code, 5);
    assert.equal(back.message, "no book");
    assert.deepEqual(
      back.details.map((d) => [d.typeUrl, [...d.value]]),
      full.details.map((d) => [d.typeUrl, [...d.value]]),
    );
  });

  it("is read padded and not", () => {
    for (let extra = 0; extra < 3; extra++) {
      const status = new Status(5, "x".repeat(extra), { details: full.details });
      const base64 = Buffer.from(encodeStatusProto(status)).toString("base64");
      for (const bin of [base64, base64.replace(/=+$/, "")]) {
        const got = read("5", bin);
        assert.equal(got.code, 5);
        assert.equal(got.message, extra === 0 ? "m m" : status.message, "the trailer's where it has none");
        assert.equal(got.details.length, 2);
      }
    }
  });

  it("is left alone when it is broken, or speaks of another code", () => {
    assert.deepEqual(read("5", "!!!!").details, []);
    assert.deepEqual(read("5", bytes.subarray(0, 20).toString("base64")).details, []);
    const other = read("3", bytes.toString("base64"));
    assert.deepEqual([other.code, other.message, other.details], [3, "m m", []]);
  });

  it("never crashes the reader", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (any) => {
        const status = decodeStatusProto(any);
        assert.ok(status === undefined || status instanceof Status);
      }),
      { numRuns: 1000 },
    );
  });

  it("round-trips whatever the details", () => {
    const detail = fc.record({ typeUrl: fc.string(), value: fc.uint8Array({ maxLength: 50 }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 16 }),
        fc.string(),
        fc.array(detail, { maxLength: 4 }),
        (code, message, details) => {
          const back = decodeStatusProto(encodeStatusProto(new Status(code, message, { details })));
          assert.equal(back?.code, code);
          assert.equal(back.message, message);
          assert.deepEqual(
            back.details.map((d) => [d.typeUrl, [...d.value]]),
            details.map((d) => [d.typeUrl, [...d.value]]),
          );
        },
      ),
    );
  });
});

describe("a status", () => {
  it("has the table's HTTP status unless it was given one", () => {
    assert.equal(new Status(Code.INVALID_ARGUMENT, "").http, 400);
    assert.equal(new Status(Code.INVALID_ARGUMENT, "", { http: 415 }).http, 415);
  });
  it("without trailers to speak of is UNKNOWN", () => {
    assert.equal(statusFromTrailers(Headers.of()).code, Code.UNKNOWN);
  });
});
