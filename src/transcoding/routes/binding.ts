// A route: what a request that matches binds where. Made at load, used by every call.
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
  /** Places in the template, `to` exclusive. Those behind its `**` go with the path's end (see `placeIn`). */
  readonly from: number;
  readonly to: number;
  /** Binds more than one segment, or any number: an escaped slash in it stays escaped. */
  readonly multi: boolean;
  /** The body may set the field too. */
  readonly inBody: boolean;
}

/** The google.api.HttpBody that takes a body as it comes. */
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
  /** What else its rule says, as written. */
  readonly rule: Pick<HttpRule, "body" | "responseBody">;
  readonly variables: readonly Variable[];
  /** How path alone makes the whole message, where there is neither query nor body; undefined: not without JSON. */
  readonly pathMessage: readonly PathField[] | undefined;
  readonly body: "all" | "none" | DescField;
  /** undefined: the body is JSON. */
  readonly httpBody: HttpBodyField | undefined;
  /** The field mask that is filled from the body's fields; undefined: none is. */
  readonly updateMask: DescField | undefined;
  /** The one field of a request that is a wrapper (google.protobuf.StringValue, …); undefined for other messages. */
  readonly wrapped: DescField | undefined;
  /** The request is a well-known type whose JSON is no object of its fields. */
  readonly ownJson: boolean;
  /** HTML forms are bodies too. */
  readonly forms: boolean;
  /** Print this field instead of the whole message. */
  readonly responseField: DescField | undefined;
}

/** A route's answer is a stream of messages. */
export function givesStream({ descriptor: { methodKind } }: Pick<BindingPlan, "descriptor">): boolean {
  return methodKind === "server_streaming" || methodKind === "bidi_streaming";
}

/** A route's answer is an HttpBody. */
export function givesHttpBody({ descriptor, responseField }: BindingPlan): boolean {
  if (responseField === undefined) return isHttpBody(descriptor.output);
  return responseField.fieldKind === "message" && isHttpBody(responseField.message);
}
