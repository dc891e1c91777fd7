// The routes of the hub → one OpenAPI 3.1 document that agrees with the router. Made on demand, never on the path of a
// call.
import type { DescService, JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Method } from "../call/call.js";
import type { StreamFormat } from "../transcoding/bodies/framing.js";
import type { PrintOptions } from "../transcoding/codec/codecs.js";
import type { BindingPlan } from "../transcoding/routes/binding.js";
import { ANY_METHOD } from "../transcoding/routes/matcher.js";
import type { Success } from "../transcoding/translate/success.js";
import { hasEtag, NOT_MODIFIED, requestBody, successResponses, webSocketNote } from "./bodies.js";
import { type ErrorForm, failureResponses, failuresOf } from "./failures.js";
import { isInPart, type OpenApiFilter, partsOf } from "./filter.js";
import { pathParameters, queryParameters } from "./parameters.js";
import { type OpenApiPath, openApiPath, printPath, shapeOf } from "./paths.js";
import { referenced } from "./referenced.js";
import { commentOf, summaryOf, titleOf } from "./schemas/comments.js";
import { HEADERS, SCHEMAS } from "./schemas/components.js";
import { joinParagraphs, reachable, Schemas } from "./schemas/schemas.js";
import { SharedParameters } from "./shared-parameters.js";

/** Access requirements of a method. */
export interface Access {
  readonly auth: "none" | "optional" | "required";
  /** At least one of them; undefined: no role is required. */
  readonly roles: readonly string[] | undefined;
}

/** Config of requests and responses, as far as clients notice it. */
export interface OpenApiHttp {
  readonly print: PrintOptions;
  /** Default format of a stream if Accept does not decide. */
  readonly streamFormat: StreamFormat;
  /** google.protobuf.Empty is 204. */
  readonly emptyAs204: boolean;
  /** Unary responses to GET have an ETag. */
  readonly etag: boolean;
  readonly errorForm: ErrorForm;
  /** System parameters work without their `$` too. */
  readonly bareSystemParameters: boolean;
  /** undefined: there are no WebSockets. */
  readonly webSocketOrigins: readonly string[] | undefined;
}

export interface OpenApiInput {
  /** In order of priority; of two that OpenAPI cannot distinguish, the first is in the document. */
  readonly plans: readonly BindingPlan[];
  /** Before every path: "" or `/api`. */
  readonly prefix: string;
  readonly http: OpenApiHttp;
  /** The success response of a method; undefined: 200. */
  readonly success: (method: Method) => Success | undefined;
  /** `components/securitySchemes`; undefined: no authentication. */
  readonly securitySchemes: JsonObject | undefined;
  readonly access: (method: Method) => Access;
}

/** Methods that a path item of OpenAPI 3.1 has a place for. */
const PLACES = new Set(["get", "put", "post", "delete", "options", "head", "patch", "trace"]);
/** The methods under which a route for any method is listed. */
const ANY_PLACES = ["GET", "PUT", "POST", "DELETE", "PATCH"];
/** OpenAPI 3.1 has no place for other methods; 3.2 calls it `additionalOperations`. */
const OTHER_METHODS = "x-additional-operations";
/** How many segments a `**` may be expanded to, to be distinguished. */
const MAX_SPREAD = 4;

export function openApiDocument(input: OpenApiInput, filter: OpenApiFilter = {}): JsonObject {
  return new Document(
    input,
    input.plans.filter((plan) => isInPart(plan, filter)),
  ).json();
}

interface PathItem {
  readonly path: OpenApiPath;
  readonly operations: JsonObject;
  readonly others: JsonObject;
}

class Document {
  readonly #input: OpenApiInput;
  readonly #plans: readonly BindingPlan[];
  readonly #schemas: Schemas;
  readonly #shared: SharedParameters;
  /** The key by which OpenAPI distinguishes them. */
  readonly #items = new Map<string, PathItem>();
  readonly #ids = new Set<string>();
  readonly #explicit: ReadonlySet<string>;
  /** Routes that have no place, with why. */
  readonly #left: JsonValue[] = [];

  constructor(input: OpenApiInput, plans: readonly BindingPlan[]) {
    this.#input = input;
    this.#plans = plans;
    this.#schemas = new Schemas(
      input.http.print,
      reachable(plans.map(({ descriptor }) => descriptor.output)),
    );
    this.#shared = new SharedParameters(input.http);
    this.#explicit = new Set(
      plans.filter(({ source }) => source !== "auto").map(({ method }) => method.path),
    );
  }

  json(): JsonObject {
    // A route for one method replaces one for any method.
    const any = this.#plans.filter(({ httpMethod }) => httpMethod === ANY_METHOD);
    for (const plan of this.#plans) if (plan.httpMethod !== ANY_METHOD) this.#add(plan, [plan.httpMethod]);
    for (const plan of any) this.#add(plan, ANY_PLACES);
    const paths: JsonObject = {};
    for (const { path, operations, others } of this.#items.values()) {
      const other = Object.keys(others).length === 0 ? {} : { [OTHER_METHODS]: others };
      paths[this.#input.prefix + printPath(path)] = { ...operations, ...other };
    }
    const { services, versions } = partsOf(this.#plans);
    const { securitySchemes, http } = this.#input;
    return {
      // Without jsonSchemaDialect: the default is JSON Schema 2020-12 with OpenAPI's vocabulary, and some tools accept
      // no other.
      openapi: "3.1.1",
      info: { ...this.#info(services), version: versions.length === 0 ? "1" : versions.join(", ") },
      servers: [{ url: "/" }],
      // Explicitly empty: linters report a missing one.
      ...(securitySchemes === undefined ? { security: [] } : {}),
      tags: this.#tags(),
      paths,
      components: {
        ...referenced(paths, {
          schemas: { ...this.#schemas.components(), ...SCHEMAS },
          responses: { "304": NOT_MODIFIED, ...failureResponses(http.errorForm) },
          parameters: this.#shared.components(),
          headers: HEADERS,
        }),
        ...(securitySchemes === undefined ? {} : { securitySchemes }),
      },
      ...(this.#left.length === 0 ? {} : { "x-routes-left-out": this.#left }),
    };
  }

  #info(services: readonly string[]): JsonObject {
    const short = [...new Set(services.map((service) => service.slice(service.lastIndexOf(".") + 1)))];
    const title =
      short.length === 0 ? "No services" : short.slice(0, 3).join(", ") + (short.length > 3 ? ", …" : "");
    const lines = services.map((service) => `- \`${service}\``);
    return { title, description: `HTTP/JSON of these gRPC services:\n\n${lines.join("\n")}` };
  }

  #tags(): JsonValue[] {
    const services = new Map<string, DescService>();
    for (const { descriptor } of this.#plans) services.set(descriptor.parent.typeName, descriptor.parent);
    const used = new Set(this.#plans.map((plan) => this.#tagOf(plan)));
    return [...used].sort().map((name) => {
      const service = services.get(name);
      if (service === undefined) return { name, description: "The methods under their gRPC paths." };
      const description = commentOf(service);
      return { name, ...(description === "" ? {} : { description }) };
    });
  }

  /** A method with rules is rarely called by its gRPC path: those routes are listed separately. */
  #tagOf({ method, source }: BindingPlan): string {
    return source === "auto" && this.#explicit.has(method.path)
      ? `${method.service} (by gRPC path)`
      : method.service;
  }

  #add(plan: BindingPlan, httpMethods: readonly string[]): void {
    const isAny = plan.httpMethod === ANY_METHOD;
    for (const httpMethod of httpMethods) {
      const placed = this.#place(plan, httpMethod);
      if (placed === undefined) {
        // A route for one method has priority in the router too.
        if (!isAny)
          this.#left.push({
            method: plan.httpMethod,
            path: this.#input.prefix + plan.text,
            reason: this.#why(plan),
          });
        continue;
      }
      placed.operations[placed.place] = this.#operation(plan, placed.path, httpMethod);
    }
  }

  #why(plan: BindingPlan): string {
    if (plan.source === "auto") return "a rule has the same path and method, and takes precedence";
    return "in OpenAPI its path is identical to that of another route";
  }

  #place(
    plan: BindingPlan,
    httpMethod: string,
  ): { path: OpenApiPath; operations: JsonObject; place: string } | undefined {
    const lower = httpMethod.toLowerCase();
    const place = PLACES.has(lower) && httpMethod === httpMethod.toUpperCase() ? lower : httpMethod;
    for (let spread = 0; spread <= MAX_SPREAD; spread++) {
      const own = openApiPath(plan, spread);
      const shape = shapeOf(own);
      let item = this.#items.get(shape);
      if (item === undefined) {
        item = { path: own, operations: {}, others: {} };
        this.#items.set(shape, item);
      }
      const operations = place === lower && PLACES.has(place) ? item.operations : item.others;
      if (!(place in operations)) return { path: withNamesOf(own, item.path), operations, place };
      if (!own.parameters.some(({ deep }) => deep)) return undefined;
    }
    return undefined;
  }

  #operation(plan: BindingPlan, path: OpenApiPath, httpMethod: string): JsonObject {
    const { method, descriptor } = plan;
    const { access, http, securitySchemes, success } = this.#input;
    const { auth, roles } = access(method);
    const secured = securitySchemes !== undefined && auth !== "none";
    const { summary, description } = summaryOf(commentOf(descriptor));
    const title = summary === "" ? titleOf(method.name) : summary;
    const notes = roles === undefined ? [] : [`The caller has one of the roles ${roles.join(", ")}.`];
    const said = joinParagraphs(description, notes);
    const own = success(method);
    const tagged = hasEtag(plan, httpMethod, http, own);
    const body = requestBody(plan, this.#schemas);
    const parameters = [
      ...pathParameters(plan, path, this.#schemas),
      ...queryParameters(plan, this.#schemas),
      ...this.#shared.of(plan, { body: body !== undefined, tagged }),
    ];
    const webSocket = webSocketNote(plan, this.#schemas, http);
    return {
      operationId: this.#id(plan, httpMethod),
      tags: [this.#tagOf(plan)],
      summary: title,
      ...(said === "" ? {} : { description: said }),
      ...(descriptor.deprecated ? { deprecated: true } : {}),
      parameters,
      ...(body === undefined ? {} : { requestBody: body }),
      responses: {
        ...successResponses(plan, this.#schemas, http, own, tagged),
        ...failuresOf({ body: body !== undefined, credentials: secured, roles: roles !== undefined }),
      },
      ...this.#security(auth),
      "x-grpc-method": `${method.service}/${method.name}`,
      ...(webSocket === undefined ? {} : { "x-websocket": webSocket }),
    };
  }

  #security(auth: Access["auth"]): JsonObject {
    const { securitySchemes } = this.#input;
    if (securitySchemes === undefined) return {};
    if (auth === "none") return { security: [] };
    const ways: JsonValue[] = Object.keys(securitySchemes).map((name) => ({ [name]: [] }));
    return { security: auth === "optional" ? [{}, ...ways] : ways };
  }

  /** `library_v1_LibraryService_GetBook`; more bindings of the method are numbered. */
  #id(plan: BindingPlan, httpMethod: string): string {
    const { service, name, path } = plan.method;
    const rpc = plan.source === "auto" && this.#explicit.has(path) ? "_rpc" : "";
    const base = `${service.replaceAll(".", "_")}_${name}${rpc}${plan.httpMethod === ANY_METHOD ? `_${httpMethod.toLowerCase()}` : ""}`;
    for (let i = 1; ; i++) {
      const id = i === 1 ? base : `${base}_${i}`;
      if (this.#ids.has(id)) continue;
      this.#ids.add(id);
      return id;
    }
  }
}

/** One path item has one name for each of its parameters: that of the first route. */
function withNamesOf(own: OpenApiPath, first: OpenApiPath): OpenApiPath {
  return {
    ...own,
    parameters: own.parameters.map((parameter, i) => ({
      ...parameter,
      name: first.parameters[i]?.name ?? parameter.name,
    })),
  };
}
