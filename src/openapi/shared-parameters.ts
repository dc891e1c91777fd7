// Parameters of many operations, once for the whole document: the response's format, the deadline, cached responses.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type BindingPlan, givesHttpBody, givesStream } from "../transcoding/routes/binding.js";
import { type Alt, altsOf, chosenFrom } from "../transcoding/translate/system-parameters.js";
import type { OpenApiHttp } from "./document.js";

/** The properties of an operation that determine them. */
export interface ParameterScope {
  readonly body: boolean;
  /** Its responses have an ETag. */
  readonly tagged: boolean;
}

const CODINGS = ["gzip", "deflate", "br"];

const HEADERS: Readonly<Record<"timeout" | "contentEncoding" | "ifNoneMatch", JsonObject>> = {
  timeout: {
    name: "X-Request-Timeout",
    in: "header",
    description:
      "The deadline of the call in seconds, after which the response is 504. `Grpc-Timeout`, in gRPC's format, takes precedence.",
    schema: { type: "string", pattern: "^[0-9]{1,6}(?:\\.[0-9]{1,3})?$", examples: ["30", "2.5"] },
  },
  contentEncoding: {
    name: "Content-Encoding",
    in: "header",
    description: "The compression of the body. Default: none.",
    schema: { type: "string", enum: CODINGS },
  },
  ifNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "The `ETag` of a cached response: the status is 304 while it is unchanged.",
    schema: { type: "string" },
  },
};

/** The format of each `$alt`, for people. */
const ALT_TEXT: Readonly<Record<Alt, string>> = {
  json: "JSON",
  ndjson: "a line of JSON for each message",
  sse: "server-sent events",
  xml: "XML",
  proto: "protobuf's binary format",
};

export class SharedParameters {
  readonly #http: OpenApiHttp;
  readonly #components = new Map<string, JsonObject>();

  constructor(http: OpenApiHttp) {
    this.#http = http;
  }

  /** Those of one operation, as references. */
  of(plan: BindingPlan, { body, tagged }: ParameterScope): JsonObject[] {
    const streams = givesStream(plan);
    const references: JsonObject[] = [];
    const alts = altsOf(plan);
    if (alts.length > 0) {
      const name = `alt${plan.responseField === undefined ? "" : "OfField"}${streams ? "OfStream" : ""}`;
      references.push(this.#refer(name, () => this.#alt(alts)));
    }
    if (chosenFrom(plan) !== undefined) references.push(this.#refer("fields", () => this.#fields()));
    if (!givesHttpBody(plan)) references.push(this.#refer("prettyPrint", () => this.#prettyPrint()));
    if (tagged) references.push(this.#refer("ifNoneMatch", () => HEADERS.ifNoneMatch));
    if (body) references.push(this.#refer("contentEncoding", () => HEADERS.contentEncoding));
    references.push(this.#refer("timeout", () => HEADERS.timeout));
    return references;
  }

  /** `components/parameters`: all that were referred to. */
  components(): JsonObject {
    return Object.fromEntries([...this.#components].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #refer(name: string, make: () => JsonObject): JsonObject {
    if (!this.#components.has(name)) this.#components.set(name, make());
    return { $ref: `#/components/parameters/${name}` };
  }

  #alt(alts: readonly Alt[]): JsonObject {
    // Those that print otherwise than config has it.
    const encoding = this.#http.print.enumsAsNumbers === true ? "string" : "int";
    const said = encoding === "int" ? "as numbers" : "by name";
    const values: JsonValue[] = [
      ...alts,
      ...alts.flatMap((alt) => (alt === "proto" ? [] : [`${alt};enum-encoding=${encoding}`])),
    ];
    const lines = alts.map((alt) => `- \`${alt}\`: ${ALT_TEXT[alt]}`);
    return this.#system("$alt", {
      description: `The format of the response, regardless of Accept; with \`;enum-encoding=${encoding}\` enums are printed ${said}, unlike the schemas here.\n\n${lines.join("\n")}`,
      schema: { type: "string", enum: values },
    });
  }

  #fields(): JsonObject {
    return this.#system("$fields", {
      description:
        "The fields of the response: their names, separated by commas; dots separate nested fields, `*` stands for all. Fields that are not named are omitted, required or not.",
      schema: { type: "string", examples: ["*"] },
    });
  }

  #prettyPrint(): JsonObject {
    return this.#system("$prettyPrint", {
      description: "Whether the response is indented. Lines and events of a stream never are.",
      schema: { type: "boolean" },
    });
  }

  #system(name: string, { description, ...rest }: JsonObject): JsonObject {
    const bare = this.#http.bareSystemParameters
      ? `\n\nAs \`${name.slice(1)}\` as well, unless a field has that name.`
      : "";
    return { name, in: "query", description: `${description}${bare}`, ...rest };
  }
}
