// A route: which parts of a matching request bind which fields. Made at load, used by every call.
import type { DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import type { Method } from "../../call/call.js";
import type { Template } from "../../kit/text/path-template.js";
import { isHttpBody } from "../messages/fields.js";
import type { HttpRule } from "./http-rule.js";
import type { PathField } from "./path-message.js";
import type { FieldTarget } from "./set-field.js";

export type BindingSource = "option" | "config" | "auto";

export interface Variable {
  readonly target: FieldTarget;
  /** Segments of the template, `to` exclusive. Those after its `**` are counted from the path's end (see `placeIn`). */
  readonly from: number;
  readonly to: number;
  /** Matches more than one segment, or any number: an escaped slash in it stays escaped. */
  readonly multi: boolean;
  /** The body may set the field too. */
  readonly inBody: boolean;
}

/** The google.api.HttpBody that receives the raw body. */
export interface HttpBodyField {
  readonly desc: DescMessage;
  /** undefined: it is the request itself. */
  readonly field: DescField | undefined;
}

export interface BindingPlan {
  readonly method: Method;
  readonly descriptor: DescMethod;
  /** HTTP method, or `*` for any. */
  readonly httpMethod: string;
  readonly template: Template;
  /** The template as written. */
  readonly text: string;
  readonly source: BindingSource;
  /** The other parts of its rule, as written. */
  readonly rule: Pick<HttpRule, "body" | "responseBody">;
  readonly variables: readonly Variable[];
  /** How the path alone makes the whole message, without query or body; undefined: JSON is needed. */
  readonly pathMessage: readonly PathField[] | undefined;
  readonly body: "all" | "none" | DescField;
  /** undefined: the body is JSON. */
  readonly httpBody: HttpBodyField | undefined;
  /** The field mask that is filled from the body's fields; undefined: none. */
  readonly updateMask: DescField | undefined;
  /** The one field of a request that is a wrapper (google.protobuf.StringValue, …); undefined for other messages. */
  readonly wrapped: DescField | undefined;
  /** The request is a well-known type whose JSON is not an object of its fields. */
  readonly ownJson: boolean;
  /** HTML forms are accepted as bodies. */
  readonly forms: boolean;
  /** Print this field instead of the whole message. */
  readonly responseField: DescField | undefined;
}

/** The response is a stream of messages. */
export function givesStream({ descriptor: { methodKind } }: Pick<BindingPlan, "descriptor">): boolean {
  return methodKind === "server_streaming" || methodKind === "bidi_streaming";
}

/** The response is an HttpBody. */
export function givesHttpBody({ descriptor, responseField }: BindingPlan): boolean {
  if (responseField === undefined) return isHttpBody(descriptor.output);
  return responseField.fieldKind === "message" && isHttpBody(responseField.message);
}
