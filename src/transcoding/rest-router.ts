// Methods and their HTTP rules → the router of the REST adapter. Built completely at load; immutable.
import type { DescMethod, FileRegistry } from "@bufbuild/protobuf";
import type { Method } from "../call/call.js";
import type { ErrorBody, RestMatch, RestMiss, RestRoutes } from "../call/rest.js";
import { notLearned } from "../call/status/not-learned.js";
import { refusal } from "../call/status/reasons.js";
import { Status } from "../call/status/status.js";
import { badRequest } from "../call/status/status-details.js";
import {
  type BodyRequest,
  type BodyTaker,
  type MessageTaker,
  maxTextBytes,
  type RequestReader,
  type ResponseWriter,
  type Transcoding,
} from "../call/transcoding.js";
import type { HttpRuleConfig } from "../config/http-rule.js";
import { completed } from "../kit/in-slices.js";
import { BoundedTexts } from "../kit/text/bounded-texts.js";
import { decodePercent } from "../kit/text/percent.js";
import { cut } from "../kit/text/text.js";
import { trimOf } from "../kit/text/trim.js";
import { KnownOutlines } from "../schema/tables/outline.js";
import { errorBody } from "./bodies/error-body.js";
import { FrameReader } from "./bodies/frame-reader.js";
import {
  chooseFraming,
  FRAMES,
  type Framing,
  PROBLEM_TYPE,
  type StreamFormat,
  wantsProblem,
} from "./bodies/framing.js";
import { HttpBodyReader, HttpBodyWriter } from "./bodies/http-body.js";
import { renderStatus } from "./bodies/status-json.js";
import { StreamReader, streamTypeProblem } from "./bodies/stream-reader.js";
import { StreamWriter } from "./bodies/stream-writer.js";
import { tooLarge, UnaryReader } from "./bodies/unary-reader.js";
import { type ResponseOptions, UnaryWriter } from "./bodies/unary-writer.js";
import { Codecs, type PrintOptions, type UnknownFields } from "./codec/codecs.js";
import { type BindingPlan, type BindingSource, givesHttpBody } from "./routes/binding.js";
import { explainRoute, nearestRoutes } from "./routes/explain.js";
import { type HttpRule, httpRuleFromJson, readHttpRule } from "./routes/http-rule.js";
import { type RequestPath, splitPath } from "./routes/path.js";
import type { ReadOptions } from "./routes/read-options.js";
import { fullName, Routes } from "./routes/routes.js";
import { planBinding } from "./routes/rule-plan.js";
import type { ThreadedRequest } from "./threads/large.js";
import { ThreadPool } from "./threads/pool.js";
import { locationProblem } from "./translate/location.js";
import {
  altOf,
  type BoundRequest,
  bindRequest,
  encodeRequest,
  type RequestOptions,
} from "./translate/request.js";
import { PLAIN } from "./translate/response.js";
import { type Success, successStatus } from "./translate/success.js";
import { ALT_TYPES, type Alt, NO_SYSTEM_PARAMETERS } from "./translate/system-parameters.js";

export interface RestRouterInput {
  /** Those without a descriptor have no routes. */
  readonly methods: readonly Method[];
  /** For Any, extensions and error details. */
  readonly registry: FileRegistry;
  /** Rules that replace those in methods' options; the last one of a selector counts. */
  readonly rules: readonly HttpRuleConfig[];
  /** Prefix of every path, as in `/api`; "" for none. */
  readonly prefix: string;
  readonly options?: RestOptions;
  /** Whether a method accepts HTML forms as bodies. Default: none does. */
  readonly forms?: (method: Method) => boolean;
  /** Why a path without a route may have one soon, for callers who may see it; then it is 503 instead of 404. */
  readonly unlearned?: string | undefined;
  /** For large messages. Default: some of the router's own. */
  readonly threads?: ThreadPool;
  /** The success response of a method; undefined: 200. */
  readonly success?: (method: Method) => Success | undefined;
}

export interface RestOptions {
  readonly print?: PrintOptions;
  /** Fields of a body that its message does not have. Default reject. */
  readonly unknownFields?: UnknownFields;
  /** Query parameters that name no field. Default reject. */
  readonly unknownQuery?: "reject" | "ignore";
  /** Query parameters that are always ignored, e.g. `utm_source`. Default none. */
  readonly ignoredQuery?: readonly string[];
  /** `alt`, `prettyPrint` and `fields` are system parameters, unless a field has the name. Default false. */
  readonly bareSystemParameters?: boolean;
  /** How loosely requests are read. Default: not at all. */
  readonly read?: ReadOptions;
  /** POST with X-HTTP-Method-Override is a request of that method. Default false. */
  readonly methodOverride?: boolean;
  /** Format of a stream if Accept does not decide. Default array. */
  readonly streamFormat?: StreamFormat;
  /** google.protobuf.Empty is 204. Default false. */
  readonly emptyAs204?: boolean;
  /** HTML, SVG and XML of an HttpBody may run in a browser. Default false. */
  readonly allowActiveContent?: boolean;
  /** HTTP status of a wrong method. Default 405. */
  readonly wrongMethodStatus?: number;
}

/** One route, for `linchpin routes`. */
export interface Binding {
  /** HTTP method; `*` for any. */
  readonly verb: string;
  /** Path template, prefix included. */
  readonly path: string;
  /** `pkg.Service/Method` */
  readonly method: string;
  /** The method's own option, the config, or `POST /pkg.Service/Method` for a method without further ado. */
  readonly source: BindingSource;
}

export interface BuiltRestRouter {
  readonly router: RestRoutes;
  readonly bindings: readonly Binding[];
  /** The same routes as they are planned, their paths without the prefix. */
  readonly plans: readonly BindingPlan[];
  /** Before every path: "" or `/api`. */
  readonly prefix: string;
  /** Rules that are left out, and why: a sentence each, with the method and the column; the first ones, and a count. */
  readonly problems: readonly string[];
  /** The rule with exactly this path, prefix included, for this HTTP method: it replaces a page of the hub's own. */
  literal(httpMethod: string, path: string): BindingPlan | undefined;
  /** Explains which rule matches a request, and why near ones do not: lines for people. */
  explain(httpMethod: string, target: string): string[];
}

export function createRestRouter(input: RestRouterInput): BuiltRestRouter {
  return completed(creatingRestRouter(input));
}

/** Like createRestRouter, in slices. */
export function* creatingRestRouter(input: RestRouterInput): Generator<void, BuiltRestRouter> {
  const routes = new Routes(normalPrefix(input.prefix));
  const problems = new BoundedTexts();
  const configured = readConfigRules(input, problems);
  const known = new KnownOutlines();
  for (const method of input.methods) {
    const descriptor = method.descriptor;
    if (descriptor === undefined) continue;
    yield;
    const fromConfig = configured.get(fullName(method));
    const rule = fromConfig ?? readOption(method, descriptor, problems);
    if (rule === undefined) continue;
    const source = fromConfig === undefined ? "option" : "config";
    const name = fromConfig === undefined ? fullName(method) : `http.rules, ${fullName(method)}`;
    for (const [place, one] of bindingsOf(rule, name, problems)) {
      const plan = planBinding(method, descriptor, one, source, input.forms?.(method), known);
      const problem = typeof plan === "string" ? plan : routes.add(plan);
      if (problem !== undefined) problems.push(`${place}: ${problem}`);
      // A rule that does not fit may require looking at a hundred thousand fields.
      yield;
    }
  }
  for (const method of input.methods) {
    if (method.descriptor !== undefined && isAutoMapped(method)) routes.addAuto(method, method.descriptor);
    yield;
  }

  const options = input.options ?? {};
  const { unknownFields = "reject", print = {}, read = {} } = options;
  const codecOptions = { unknownFields, print, anyEnumCase: read.anyEnumCase ?? false };
  const request: RouterOptions = {
    codecs: new Codecs(input.registry, codecOptions),
    unknownFields,
    unknownQuery: options.unknownQuery ?? "reject",
    ignoredQuery: new Set(options.ignoredQuery ?? []),
    bareSystemParameters: options.bareSystemParameters ?? false,
    read,
    methodOverride: options.methodOverride ?? false,
    unlearned: input.unlearned,
  };
  const responseOptions: ResponseOptions = {
    codecs: request.codecs,
    codecsFor: codecsFor(request.codecs),
    threads: input.threads ?? new ThreadPool(),
    streamFormat: options.streamFormat ?? "array",
    emptyAs204: options.emptyAs204 ?? false,
    allowActiveContent: options.allowActiveContent ?? false,
    successes: successesOf(input, problems),
  };
  const router = new Router(routes, request, responseOptions, options.wrongMethodStatus ?? 405);
  return {
    router,
    bindings: routes.plans.map((plan) => ({
      verb: plan.httpMethod,
      path: routes.prefix + plan.text,
      method: `${plan.method.service}/${plan.method.name}`,
      source: plan.source,
    })),
    plans: routes.plans,
    prefix: routes.prefix,
    problems: problems.list("problems of HTTP rules like these"),
    literal: (httpMethod, path) => routes.literal(httpMethod, path),
    explain: (httpMethod, target) => {
      const bind = (plan: BindingPlan, path: RequestPath, query: string) => {
        const bound = bindRequest(plan, path, query, request);
        // A request without a body is completely known.
        if (bound instanceof Status || plan.body !== "none") return bound;
        return encodeRequest(bound, undefined, request);
      };
      return explainRoute(routes, httpMethod, target, bind, request.read.keptEscapes);
    },
  };
}

/** Codecs that print enums differently from the config: rarely needed, so made on demand. */
function codecsFor(codecs: Codecs): (enumAsNumbers: boolean) => Codecs {
  const { registry, options } = codecs;
  let other: Codecs | undefined;
  return (enumsAsNumbers) => {
    if (enumsAsNumbers === (options.print?.enumsAsNumbers ?? false)) return codecs;
    other ??= new Codecs(registry, { ...options, print: { ...options.print, enumsAsNumbers } });
    return other;
  };
}

/** Looked up once, not for each call. */
function successesOf(
  { methods, success }: RestRouterInput,
  problems: BoundedTexts,
): ReadonlyMap<Method, Success> {
  const successes = new Map<Method, Success>();
  for (const method of methods) {
    const own = success?.(method);
    if (own === undefined) continue;
    successes.set(method, own);
    const output = method.descriptor?.output;
    const problem =
      own.location === undefined || output === undefined ? undefined : locationProblem(own.location, output);
    if (problem !== undefined)
      problems.push(`methods, ${fullName(method)}: http.location ${own.location}: ${problem}`);
  }
  return successes;
}

/** `/api/` and `api` mean `/api`. */
function normalPrefix(prefix: string): string {
  const bare = trimOf(prefix, "/");
  return bare === "" ? "" : `/${bare}`;
}

/** Infrastructure services are not for pages of other sites, and `linchpin.*` only for the admin listener. */
function isAutoMapped(method: Method): boolean {
  return !/^(?:grpc|linchpin)\./.test(method.service);
}

function readConfigRules(input: RestRouterInput, problems: BoundedTexts): ReadonlyMap<string, HttpRule> {
  const known = new Set(input.methods.map(fullName));
  const rules = new Map<string, HttpRule>();
  for (const { selector, rule } of input.rules) {
    const read = httpRuleFromJson(rule);
    if (typeof read === "string") problems.push(`http.rules, ${selector}: ${read}`);
    else if (!known.has(selector)) problems.push(`http.rules, ${selector}: no such method`);
    else rules.set(selector, read);
  }
  return rules;
}

function readOption(method: Method, descriptor: DescMethod, problems: BoundedTexts): HttpRule | undefined {
  try {
    return readHttpRule(descriptor);
  } catch {
    problems.push(`${fullName(method)}: its google.api.http option is not readable`);
    return undefined;
  }
}

/** Of one method: Google's own have up to a dozen. Each costs memory for as long as the schema is used. */
const MAX_ADDITIONAL_BINDINGS = 100;

function* bindingsOf(
  rule: HttpRule,
  name: string,
  problems: BoundedTexts,
): Generator<[place: string, rule: HttpRule]> {
  yield [name, rule];
  const { length } = rule.additionalBindings;
  if (length > MAX_ADDITIONAL_BINDINGS) {
    problems.push(
      `${name}: the rule has ${length} additional_bindings; those after the first ${MAX_ADDITIONAL_BINDINGS} are ignored`,
    );
  }
  for (const [i, additional] of rule.additionalBindings.slice(0, MAX_ADDITIONAL_BINDINGS).entries()) {
    const place = `${name}, additional_bindings[${i}]`;
    if (additional.additionalBindings.length > 0)
      problems.push(`${place}: additional bindings nest one level deep`);
    yield [place, additional];
  }
}

/** Characters of a path's segment in a message. */
const MAX_SHOWN = 100;

/** A query with more than system parameters. */
const SETS_FIELDS = /[?&](?!\$|%24)[^&]/;

type RouterOptions = RequestOptions & {
  readonly methodOverride: boolean;
  readonly unlearned: string | undefined;
};

/** Methods that a POST may override itself with: none whose response has a special form. */
const OVERRIDE = /^(?!HEAD$|OPTIONS$|CONNECT$|TRACE$)[A-Z][A-Z-]{0,31}$/;

class Router implements RestRoutes {
  readonly #routes: Routes;
  readonly #options: RouterOptions;
  readonly #responseOptions: ResponseOptions;
  readonly #wrongMethodStatus: number;

  constructor(
    routes: Routes,
    options: RouterOptions,
    responseOptions: ResponseOptions,
    wrongMethodStatus: number,
  ) {
    this.#routes = routes;
    this.#options = options;
    this.#responseOptions = responseOptions;
    this.#wrongMethodStatus = wrongMethodStatus;
  }

  match(sentMethod: string, target: string, override?: string): RestMatch | RestMiss {
    const routes = this.#routes;
    const overridden = override !== undefined && sentMethod === "POST" && this.#options.methodOverride;
    if (overridden && !OVERRIDE.test(override)) {
      return new Miss(routes, sentMethod, target, badOverride(override), []);
    }
    const httpMethod = overridden ? override : sentMethod;
    const path = routes.pathOf(target);
    if (path === undefined) return new Miss(routes, httpMethod, target, this.#noRoute(httpMethod), []);
    const split = splitPath(path);
    if (split === undefined) {
      const status = invalidPath(path);
      return new Miss(routes, httpMethod, target, status, []);
    }
    const plan = routes.find(httpMethod, path, split);
    if (plan !== undefined) {
      const question = target.indexOf("?");
      const query = question === -1 ? "" : target.slice(question + 1);
      const match = new Match(
        plan,
        routes.prefix + plan.text,
        split,
        query,
        this.#options,
        this.#responseOptions,
      );
      match.overridden = overridden;
      return match;
    }
    const allow = routes.allowed(path, split);
    const status = allow.length === 0 ? this.#noRoute(httpMethod) : this.#wrongMethod(httpMethod, allow);
    return new Miss(routes, httpMethod, target, status, allow);
  }

  matchWebSocket(target: string): RestMatch | RestMiss {
    const get = this.match("GET", target);
    const methods = get.kind === "match" ? [...this.#allowed(target)] : [...get.allow];
    if (methods.length === 0) return get;
    // Frames are the body, so a rule with a body has priority; a query with GET expresses the same.
    methods.sort((a, b) => readsOnly(a) - readsOnly(b));
    if (SETS_FIELDS.test(target)) methods.reverse();
    for (const method of methods) {
      const match = this.match(method, target);
      if (match.kind === "match" && match.method.kind !== "unary") return match;
    }
    return new Miss(this.#routes, "GET", target, notStreaming(), []);
  }

  #allowed(target: string): readonly string[] {
    const path = this.#routes.pathOf(target);
    const split = path === undefined ? undefined : splitPath(path);
    return path === undefined || split === undefined ? [] : this.#routes.allowed(path, split);
  }

  #noRoute(httpMethod: string): Status {
    const { unlearned } = this.#options;
    const message = `no route for this ${cut(httpMethod, 20)} path`;
    return unlearned === undefined ? refusal("NO_ROUTE", message) : notLearned(`${message} (yet)`, unlearned);
  }

  #wrongMethod(httpMethod: string, allow: readonly string[]): Status {
    const allowed = allow.join(", ");
    const message = `this path does not take ${cut(httpMethod, 20)}, but ${allowed}`;
    const http = this.#wrongMethodStatus;
    return refusal("METHOD_NOT_ALLOWED", message, { info: { allow: allowed }, http });
  }

  renderStatus(status: Status): string {
    return renderStatus(status, this.#options.codecs);
  }

  renderError(status: Status, accept: string | undefined, target: string): ErrorBody {
    return errorBody(status, accept, target, this.#options.codecs);
  }
}

/** One object for the match and its Transcoding: each call has one. */
class Match implements RestMatch, Transcoding, ThreadedRequest {
  readonly kind = "match";
  readonly route: string;
  readonly plan: BindingPlan;
  readonly options: RequestOptions;
  overridden = false;
  readonly #path: RequestPath;
  readonly #query: string;
  readonly #responseOptions: ResponseOptions;
  #bound: BoundRequest | Status | undefined = undefined;
  #request: BodyRequest = NO_REQUEST;
  accept: string | undefined = undefined;
  /** For a stream; undefined for one message in JSON. */
  #framing: Framing | undefined = undefined;
  #givesStream = false;

  constructor(
    plan: BindingPlan,
    route: string,
    path: RequestPath,
    query: string,
    options: RequestOptions,
    responseOptions: ResponseOptions,
  ) {
    this.route = route;
    this.plan = plan;
    this.#path = path;
    this.#query = query;
    this.options = options;
    this.#responseOptions = responseOptions;
  }

  get method(): Method {
    return this.plan.method;
  }

  get threads(): ThreadPool {
    return this.#responseOptions.threads;
  }

  bound(): BoundRequest | Status {
    this.#bound ??= bindRequest(this.plan, this.#path, this.#query, this.options);
    return this.#bound;
  }

  get bodyless(): boolean {
    return this.plan.body === "none";
  }

  get givesBytes(): boolean {
    return givesHttpBody(this.plan);
  }

  get success(): number {
    const { successes, emptyAs204 } = this.#responseOptions;
    return successStatus(this.plan, successes.get(this.plan.method), emptyAs204);
  }

  open(request: BodyRequest): Transcoding | Status {
    const { kind } = this.plan.method;
    const framed = request.framed === true;
    const takesStream = kind === "client_streaming" || kind === "bidi_streaming";
    this.#givesStream = kind === "server_streaming" || kind === "bidi_streaming";
    this.#request = request;
    // The query is read before the body only if it has such a parameter.
    const early = this.#query.includes("alt=") ? this.bound() : undefined;
    const failed = early instanceof Status;
    const alt = failed ? altOf(this.plan, this.#query, this.options) : early?.system.alt;
    if (alt !== undefined && !framed) this.accept = acceptOf(alt, request.accept);
    if (failed) return early;
    if (framed) {
      this.#framing = FRAMES;
      if (alt !== undefined && alt !== "json") return onlyJsonFrames();
      // Errors in the URL are reported while an HTTP response is still possible.
      const bound = this.bound();
      return bound instanceof Status ? bound : this;
    }
    if (!givesHttpBody(this.plan)) {
      const accept = this.accept ?? request.accept;
      const format = this.#givesStream ? this.#responseOptions.streamFormat : undefined;
      let framing = chooseFraming(accept, format);
      if (framing instanceof Status && this.options.read.anyAccept)
        framing = chooseFraming(undefined, format);
      if (framing instanceof Status) return framing;
      if (framing.proto === true && this.plan.responseField !== undefined) return onlyWhole();
      if (this.#givesStream || framing.proto === true || framing.xml === true) this.#framing = framing;
    }
    if (takesStream) return streamProblem(this.plan, request.contentType, this.options.read) ?? this;
    const maxBytes = maxTextBytes(request.maxMessageBytes);
    return request.contentLength !== undefined && request.contentLength > maxBytes
      ? tooLarge("body", maxBytes)
      : this;
  }

  reader(out: MessageTaker): RequestReader {
    const Reader = readerFor(this.plan, this.#request);
    return new Reader(out, this.#request, this);
  }

  firstFailure(json: Buffer): Buffer {
    const framing = this.#framing;
    return framing?.wrapsFailure === true ? Buffer.from(framing.tail(json.toString("utf8"), true)) : json;
  }

  writer(out: BodyTaker): ResponseWriter {
    const framing = this.#framing;
    const bound = this.bound();
    const system = bound instanceof Status ? NO_SYSTEM_PARAMETERS : bound.system;
    const { enumAsNumbers, fields } = system;
    const responseOptions = this.#responseOptions;
    const codecs =
      enumAsNumbers === undefined ? responseOptions.codecs : responseOptions.codecsFor(enumAsNumbers);
    if (this.#givesStream && givesHttpBody(this.plan))
      return new HttpBodyWriter(out, this.plan, responseOptions);
    // A line, an event or a frame is one line: of streams only an array can be indented.
    const indented = system.pretty && this.#givesStream ? framing?.indented : undefined;
    const pretty = system.pretty && (!this.#givesStream || indented !== undefined);
    const proto = framing?.proto === true;
    const xml = framing?.xml === true ? framing.contentType : undefined;
    const form =
      pretty || proto || fields !== undefined || xml !== undefined
        ? { fields, pretty, proto, xml, inStream: this.#givesStream }
        : PLAIN;
    return framing === undefined || !(this.#givesStream || framing === FRAMES)
      ? new UnaryWriter(out, this.plan, responseOptions, codecs, form)
      : new StreamWriter(out, this.plan, codecs, responseOptions.threads, indented ?? framing, form);
  }
}

/** `$alt` replaces Accept; Accept still decides the format of failures. */
function acceptOf(alt: Alt, accept: string | undefined): string {
  return wantsProblem(accept) ? `${ALT_TYPES[alt]}, ${PROBLEM_TYPE}` : ALT_TYPES[alt];
}

function onlyJsonFrames(): Status {
  const description = "the frames of a WebSocket are JSON: remove $alt";
  return refusal("INVALID_REQUEST", description, { details: [badRequest([{ field: "$alt", description }])] });
}

function onlyWhole(): Status {
  return refusal(
    "NOT_ACCEPTABLE",
    "this route answers with one field of a message: ask for application/json",
    {
      info: { supported: "application/json" },
    },
  );
}

type Reader = typeof UnaryReader | typeof StreamReader | typeof FrameReader | typeof HttpBodyReader;

function readerFor(plan: BindingPlan, request: BodyRequest): Reader {
  const { kind } = plan.method;
  if (kind === "unary") return UnaryReader;
  if (request.framed === true) return FrameReader;
  // Without a body there is one message, of path and query.
  if (kind === "server_streaming" || plan.body === "none") return UnaryReader;
  return plan.httpBody === undefined ? StreamReader : HttpBodyReader;
}

/** Why the body of a stream of messages cannot be of this type. */
function streamProblem(
  plan: BindingPlan,
  contentType: string | undefined,
  { anyContentType = false }: ReadOptions,
): Status | undefined {
  if (plan.body === "none") return undefined;
  // A page of another site can send bytes of many types without a preflight: not allowed for paths without a rule.
  if ((plan.httpBody !== undefined || anyContentType) && plan.source !== "auto") return undefined;
  return streamTypeProblem(contentType);
}

/** Until `open`. */
const NO_REQUEST: BodyRequest = {
  contentType: undefined,
  accept: undefined,
  contentLength: undefined,
  maxMessageBytes: 0,
};

class Miss implements RestMiss {
  readonly kind = "miss";
  readonly status: Status;
  readonly allow: readonly string[];
  readonly #routes: Routes;
  readonly #httpMethod: string;
  readonly #target: string;

  constructor(routes: Routes, httpMethod: string, target: string, status: Status, allow: readonly string[]) {
    this.#routes = routes;
    this.#httpMethod = httpMethod;
    this.#target = target;
    this.status = status;
    this.allow = allow;
  }

  hints(): readonly string[] {
    return nearestRoutes(this.#routes, this.#httpMethod, this.#target);
  }
}

function badOverride(override: string): Status {
  const got = cut(override, 40);
  return refusal(
    "INVALID_REQUEST",
    `X-HTTP-Method-Override must be a method such as PATCH or DELETE, got '${got}'`,
  );
}

/** GET and HEAD come last. */
function readsOnly(httpMethod: string): number {
  return Number(httpMethod === "GET" || httpMethod === "HEAD");
}

/** Of a path that cannot be decoded: which of its segments is to blame. */
function invalidPath(path: string): Status {
  const segments = path.slice(1).split("/");
  const at = segments.findIndex((segment) => decodePercent(segment) === undefined);
  const segment = cut(segments[at] ?? "", MAX_SHOWN);
  const description = `segment ${at + 1}, '${segment}', is not percent-encoded UTF-8`;
  return refusal("INVALID_PATH", `the path's ${description}: write % as %25`, {
    details: [badRequest([{ field: "", description }])],
  });
}

function notStreaming(): Status {
  return refusal(
    "INVALID_REQUEST",
    "the method at this path is not streaming: call it by plain HTTP, without a WebSocket",
  );
}
