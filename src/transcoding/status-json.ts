// A Status → google.rpc.Status in JSON: the body of every error.
import { STATUS_CODES } from "node:http";
import { create, type JsonValue } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { codeName, type Status, type StatusDetail } from "../core/status.js";
import type { JsonWriter } from "./json-writer.js";

/** `{"code", "message", "details"}`. Never fails: a detail that cannot be read prints its type and its bytes in base64. */
export function renderStatus(status: Status, writer: JsonWriter): string {
  return JSON.stringify({
    code: status.code,
    message: status.message,
    details: status.details.map((detail) => detailJson(detail, writer)),
  });
}

/** Characters of a path that an error repeats. */
const MAX_INSTANCE = 500;

/**
 * A problem (RFC 9457) with the code and the details of the Status whose JSON this is. There are no types of problems
 * here: the code is what programs look at, so the title is that of the HTTP status, as §4.2.1 wants it.
 */
export function renderProblem(status: Status, statusJson: string, target: string): string {
  const inner: unknown = JSON.parse(statusJson);
  return JSON.stringify({
    type: "about:blank",
    title: STATUS_CODES[status.http] ?? codeName(status.code),
    status: status.http,
    detail: status.message,
    // The query may hold what is not to be repeated.
    instance: (target.split("?", 1)[0] ?? "").slice(0, MAX_INSTANCE),
    code: status.code,
    details: typeof inner === "object" && inner !== null ? Reflect.get(inner, "details") : [],
  });
}

function detailJson(detail: StatusDetail, writer: JsonWriter): JsonValue {
  try {
    const { typeUrl, value } = detail;
    const json = writer.write(AnySchema, create(AnySchema, { typeUrl, value: Uint8Array.from(value) }));
    // "@type" first, as people expect to read it.
    return typeof json === "object" && json !== null && !Array.isArray(json) && typeUrl !== ""
      ? { "@type": typeUrl, ...json }
      : rawJson(detail);
  } catch {
    return rawJson(detail);
  }
}

function rawJson(detail: StatusDetail): JsonValue {
  return { "@type": detail.typeUrl, value: Buffer.from(detail.value).toString("base64") };
}
