// A Status → google.rpc.Status in JSON: the body of every error.
import { STATUS_CODES } from "node:http";
import { create, toBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { Code, codeName, type Status, type StatusDetail } from "../../call/status/status.js";
import { cut } from "../../kit/text/text.js";
import type { Budget, Codecs } from "../codec/codecs.js";

/** In place of a status that cannot be printed at all. */
const UNTOLD = `{"code":${Code.INTERNAL},"message":"the failure cannot be printed","details":[]}`;

/**
 * Details are printed in place. If they exceed this in total they are skipped: they come from trailers, and are short.
 */
const DETAILS_BUDGET: Budget = { textBytes: 256 * 1024, steps: 500_000 };

/** `{"code", "message", "details"}`. Never fails: a detail that cannot be read prints its type and its bytes in base64. */
export function renderStatus(status: Status, codecs: Codecs): string {
  try {
    const message = JSON.stringify(status.message);
    let { textBytes } = DETAILS_BUDGET;
    const details = status.details.map((detail) => {
      const json = detailJson(detail, codecs, { ...DETAILS_BUDGET, textBytes });
      textBytes -= json.length;
      return json;
    });
    return `{"code":${status.code},"message":${message},"details":[${details.join(",")}]}`;
  } catch {
    return UNTOLD;
  }
}

/** Characters of a path that an error repeats. */
const MAX_INSTANCE = 500;

/**
 * Problem details (RFC 9457) with the code and the details of the Status in this JSON. There are no problem types:
 * programs use the code, so the title is that of the HTTP status, as in §4.2.1.
 */
export function renderProblem(status: Status, statusJson: string, target: string): string {
  const inner: unknown = JSON.parse(statusJson);
  return JSON.stringify({
    type: "about:blank",
    title: STATUS_CODES[status.http] ?? codeName(status.code),
    status: status.http,
    detail: status.message,
    // The query may contain secrets.
    instance: cut(target.split("?", 1)[0] ?? "", MAX_INSTANCE),
    code: status.code,
    details: typeof inner === "object" && inner !== null ? Reflect.get(inner, "details") : [],
  });
}

function detailJson({ typeUrl, value }: StatusDetail, codecs: Codecs, budget: Budget): string {
  const bytes = Buffer.from(value);
  try {
    const any = toBinary(AnySchema, create(AnySchema, { typeUrl, value: bytes }));
    const json = codecs.of(AnySchema).decode(any, undefined, budget).toString();
    if (json !== "{}") return json;
  } catch {
    // Never throws: reporting a failure must not fail.
  }
  return JSON.stringify({ "@type": typeUrl, value: bytes.toString("base64") });
}
