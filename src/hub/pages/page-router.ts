// Matches the hub's own pages before the routes of services: literal paths have priority over wildcards.
import type { Interceptor } from "../../call/interceptor.js";
import { type Plan, plan as planOf } from "../../call/pipeline.js";
import type { ErrorBody, PageMatch, RestMatch, RestMiss, RestRouter, RestRoutes } from "../../call/rest.js";
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { cut } from "../../kit/text/text.js";
import type { Page } from "./page.js";
import { pageHandler } from "./page-handler.js";

const METHODS = ["GET", "HEAD"];

export class PageRouter implements RestRouter {
  readonly #routes: RestRoutes;
  readonly #pages: ReadonlyMap<string, Page>;
  readonly #plans: ReadonlyMap<string, Plan>;

  constructor(routes: RestRoutes, pages: readonly Page[], interceptors: readonly Interceptor[]) {
    this.#routes = routes;
    this.#pages = new Map(pages.map((page) => [page.path, page]));
    const handler = pageHandler(this.#pages);
    this.#plans = new Map(pages.map(({ method }) => [method.path, planOf(method, interceptors, handler)]));
  }

  /** The plan of a page's method, which no gRPC path has; undefined for other methods. */
  planFor(path: string): Plan | undefined {
    return path.startsWith(":") ? this.#plans.get(path) : undefined;
  }

  match(httpMethod: string, target: string, override?: string): RestMatch | PageMatch | RestMiss {
    const question = target.indexOf("?");
    const path = question === -1 ? target : target.slice(0, question);
    const page = this.#pages.get(path);
    if (page !== undefined && METHODS.includes(httpMethod)) {
      return { kind: "page", method: page.method, route: page.path };
    }
    const match = this.#routes.match(httpMethod, target, override);
    if (match.kind !== "miss") return match;
    if (page !== undefined) return new OtherMethod(httpMethod, match);
    const near = this.#nearest(path);
    return near === undefined ? match : withHint(match, near);
  }

  /** Explains which page serves a request, in lines for people; undefined: none. */
  explain(httpMethod: string, target: string): string[] | undefined {
    const page = this.#pages.get(target.split("?", 1)[0] ?? "");
    if (page === undefined || !METHODS.includes(httpMethod)) return undefined;
    return [`GET ${page.path} answers: ${page.about}`];
  }

  matchWebSocket(target: string): RestMatch | RestMiss {
    return this.#routes.matchWebSocket(target);
  }

  renderStatus(status: Status): string {
    return this.#routes.renderStatus(status);
  }

  renderError(status: Status, accept: string | undefined, target: string): ErrorBody {
    return this.#routes.renderError(status, accept, target);
  }

  /** The page for a path with a superfluous slash; a person who opens the hub in a browser is shown where to look. */
  #nearest(path: string): Page | undefined {
    if (path !== "/") return path.endsWith("/") ? this.#pages.get(path.slice(0, -1)) : undefined;
    return [...this.#pages.values()].find(({ method }) => method.name === "Docs");
  }
}

function withHint(miss: RestMiss, page: Page): RestMiss {
  const { allow, status } = miss;
  return { kind: "miss", allow, status, hints: () => [`GET ${page.path}`, ...miss.hints()] };
}

class OtherMethod implements RestMiss {
  readonly kind = "miss";
  readonly allow: readonly string[];
  readonly status: Status;

  constructor(httpMethod: string, { allow }: RestMiss) {
    this.allow = [...new Set([...METHODS, ...allow])].sort();
    const allowed = this.allow.join(", ");
    const message = `this path does not take ${cut(httpMethod, 20)}, but ${allowed}`;
    this.status = refusal("METHOD_NOT_ALLOWED", message, { info: { allow: allowed } });
  }

  hints(): readonly string[] {
    return [];
  }
}
