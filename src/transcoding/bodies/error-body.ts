// The body of a failure: google.rpc.Status in JSON, XML or protobuf, or problem details (RFC 9457). It can render every
// Status: if the requested format fails, it is JSON, and if that fails, a constant.
import type { ErrorBody } from "../../call/rest.js";
import { encodeStatusProto, type Status } from "../../call/status/status.js";
import type { Codecs } from "../codec/codecs.js";
import { PROTO_TYPE } from "../translate/content-type.js";
import { statusXml } from "../xml/body.js";
import { XML_DECLARATION } from "../xml/names.js";
import { PROBLEM_TYPE, wantsProblem, wantsProto, wantsXml } from "./framing.js";
import { renderProblem, renderStatus } from "./status-json.js";

const JSON_TYPE = "application/json";

/** Never throws. `target`: of the request, for its path. */
export function errorBody(
  status: Status,
  accept: string | undefined,
  target: string,
  codecs: Codecs,
): ErrorBody {
  const json = renderStatus(status, codecs);
  try {
    return inForm(status, json, accept, target, codecs);
  } catch {
    return { contentType: JSON_TYPE, body: Buffer.from(json) };
  }
}

function inForm(
  status: Status,
  json: string,
  accept: string | undefined,
  target: string,
  codecs: Codecs,
): ErrorBody {
  if (wantsProblem(accept)) {
    return { contentType: PROBLEM_TYPE, body: Buffer.from(renderProblem(status, json, target)) };
  }
  if (wantsProto(accept)) return { contentType: PROTO_TYPE, body: Buffer.from(encodeStatusProto(status)) };
  const xmlType = wantsXml(accept);
  const xml = xmlType === undefined ? undefined : statusXml(json, "Status", codecs);
  return xmlType === undefined || xml === undefined
    ? { contentType: JSON_TYPE, body: Buffer.from(json) }
    : { contentType: xmlType, body: Buffer.from(XML_DECLARATION + xml) };
}
