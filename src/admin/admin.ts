// The admin listener: liveness, readiness, routes and upstreams, for probes and for people.
import { formatAddress } from "../config/address.js";
import type { AdminConfig } from "../config/listener-config.js";
import { attempt, reportFault } from "../kit/faults.js";
import type { Log } from "../kit/log.js";
import { UserError } from "../kit/text/user-error.js";
import { type AdminAccess, rejectUntrusted, rejectWebPages } from "./admin-access.js";
import { bytesOf, respond } from "./admin-response.js";
import { type AdminRequest, type AdminResponse, AdminServer } from "./admin-server.js";
import { index } from "./pages/index-page.js";
import type { AdminHub, Page, PageResponse } from "./pages/page.js";
import { PAGES } from "./pages/pages.js";

export interface RunningAdmin {
  /** e.g. `http://127.0.0.1:9901` */
  readonly address: string;
  /** Its certificates; empty without TLS. */
  readonly certificates: AdminServer["certificates"];
  /** Applies the certificates that are in the files now. */
  reloadCertificates(): void;
  /** Stops accepting, and ends open connections. */
  close(): Promise<void>;
}

/** Starts the listener. Rejects with a UserError if the address cannot be bound, or its certificate is invalid. */
export async function startAdmin(
  config: AdminConfig,
  hub: AdminHub,
  log: Log,
  pages: readonly Page[] = PAGES,
): Promise<RunningAdmin> {
  const access: AdminAccess = {
    host: config.host,
    scheme: config.tls === undefined ? "http" : "https",
    tokenDigest: config.tokenSha256 === undefined ? undefined : Buffer.from(config.tokenSha256, "hex"),
  };
  const site = { access, hub, pages };
  const server = new AdminServer(config, log, (request, response) => void serve(request, response, site));
  const port = await server.listen();
  return {
    address: `${access.scheme}://${formatAddress({ host: config.host, port })}`,
    get certificates() {
      return server.certificates;
    },
    reloadCertificates: () => server.reloadCertificates(),
    close: () => server.close(),
  };
}

/** What is served, and who has access. */
interface Site {
  readonly access: AdminAccess;
  readonly hub: AdminHub;
  readonly pages: readonly Page[];
}

async function serve(request: AdminRequest, response: AdminResponse, site: Site): Promise<void> {
  try {
    const page = await responseOrProblem(request, site);
    respond(request, response, page, await bytesOf(request, page));
  } catch (error) {
    const problem = faultResponse(error);
    // A response that has begun cannot be replaced.
    attempt("while the admin listener answered a fault", () => {
      if (response.headersSent) response.destroy();
      else respond(request, response, problem, Buffer.from(JSON.stringify(problem.body)));
    });
  }
}

async function responseOrProblem(request: AdminRequest, site: Site): Promise<PageResponse> {
  try {
    return await responseFor(request, site);
  } catch (error) {
    if (!(error instanceof UserError)) return faultResponse(error);
    return { status: 409, body: { error: error.message } };
  }
}

function faultResponse(error: unknown): PageResponse {
  const id = reportFault("while the admin listener answered", error);
  return { status: 500, body: { error: `the hub failed to answer (fault ${id}); its log says why` } };
}

function responseFor(
  request: AdminRequest,
  { access, hub, pages }: Site,
): PageResponse | Promise<PageResponse> {
  const refusal = rejectWebPages(request, access);
  if (refusal !== undefined) return refusal;
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const page = pages.find((page) => page.path === path);
  if (page === undefined) return { status: 404, body: { error: `no page ${path}`, ...index(pages) } };
  const methods = page.method === undefined ? ["GET", "HEAD"] : [page.method];
  if (!methods.includes(request.method ?? "")) {
    return {
      status: 405,
      body: { error: `${path} takes ${methods.join(" and ")}, not ${request.method}` },
      headers: { allow: methods.join(", ") },
    };
  }
  const stranger = rejectUntrusted(request, access);
  if (!page.remote && stranger !== undefined) return stranger(path);
  return page.respond(hub, { trusted: stranger === undefined, pages });
}
