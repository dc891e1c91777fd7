// What asks for protection that nothing else in the file gives: taken as it is, it would read as safe and be open. The
// checks that no section can make alone.
import { presetOf } from "./http-presets.js";
import type { ParsedConfig } from "./schema.js";
import type { Path } from "./yaml.js";

interface Reader {
  wrong(path: Path, message: string): void;
  /** `listen` is a list. */
  readonly listensAtSeveral: boolean;
  /** The program has interceptors of its own, which may say who calls, and look at certificates. */
  readonly ownInterceptors: boolean;
}

export function checkUnmet(file: ParsedConfig, reader: Reader): void {
  checkMethods(file, reader);
  if (!reader.ownInterceptors) checkQuotaKeys(file, reader);
  checkCertificates(file, reader);
  checkStandardPrefix(file, reader);
}

function checkMethods({ methods, interceptors: { auth, quota } }: ParsedConfig, { wrong }: Reader): void {
  for (const [selector, method] of Object.entries(methods)) {
    const path: Path = ["methods", selector];
    if (auth === undefined && method.roles !== undefined)
      wrong([...path, "roles"], "needs interceptors.auth: without it nobody has a role");
    if (auth === undefined && method.auth !== undefined && method.auth !== "none")
      wrong([...path, "auth"], "needs interceptors.auth: without it everybody may call, with any credential");
    if (quota.length === 0 && method.quota !== undefined && method.quota !== "none")
      wrong([...path, "quota"], "needs interceptors.quota: without it nothing counts the calls");
  }
}

function checkQuotaKeys({ interceptors: { auth, quota } }: ParsedConfig, { wrong }: Reader): void {
  for (const [i, { key }] of quota.entries())
    for (const [j, { by }] of key.entries()) {
      const path: Path = ["interceptors", "quota", i, "key", j];
      if (by === "identity" && auth === undefined)
        wrong(path, "needs interceptors.auth: without it nobody has an identity; ip counts by address");
      if (by === "apiKey" && auth?.apiKeys === undefined)
        wrong(path, "needs interceptors.auth.apiKeys: without it nobody has a key; ip counts by address");
    }
}

function checkCertificates(
  { listen, admin, interceptors: { auth } }: ParsedConfig,
  { wrong, listensAtSeveral, ownInterceptors }: Reader,
): void {
  if (auth?.mtls !== undefined && listen.every(({ tls }) => tls?.clientCa === undefined))
    wrong(
      ["interceptors", "auth", "mtls"],
      "needs a listener with tls.clientCa: without it no client is asked for a certificate",
    );
  for (const [i, { tls }] of listen.entries())
    if (tls?.clientAuth === "request" && auth?.mtls === undefined && !ownInterceptors)
      wrong(
        [...(listensAtSeveral ? ["listen", i] : ["listen"]), "tls", "clientAuth"],
        "needs interceptors.auth.mtls: without it a client with a certificate is as any other; require is the default",
      );
  if (admin?.tls?.clientAuth === "request")
    wrong(
      ["admin", "tls", "clientAuth"],
      "must be require: to the admin listener a client with a certificate is as any other",
    );
}

/** What calls need beside what a config names. */
const NEEDED = [
  "grpc-timeout",
  "grpc-encoding",
  "content-type",
  "user-agent",
  "authorization",
  "traceparent",
  "tracestate",
];

/** Clients' fields under that prefix are dropped: none of those that calls need may be among them. */
function checkStandardPrefix({ http, interceptors: { auth } }: ParsedConfig, { wrong }: Reader): void {
  const standardPrefix = http.metadata.standardPrefix ?? presetOf(http.preset).metadata.standardPrefix;
  if (standardPrefix === "") return;
  const names = auth?.apiKeys === undefined ? NEEDED : [auth.apiKeys.header, ...NEEDED];
  const swallowed = names.find((name) => name.startsWith(standardPrefix));
  if (swallowed !== undefined)
    wrong(
      ["http", "metadata", "standardPrefix"],
      `must not begin ${swallowed}: what clients send under the prefix is dropped`,
    );
}
