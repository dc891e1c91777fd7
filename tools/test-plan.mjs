// Which tests run, in which order, and which of them share a process.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** These run first, as a long one that comes last would run alone: what fuzzes, and what starts programs. */
const FIRST = /^(?:fuzz|cli|e2e|telemetry|tools)\/|^[^/]*$|\/(?:fuzz|differential)\./;

/** Files of units: those of one of these folders share processes, since starting one costs more than most of them. */
const UNITS =
  /^(?:admin|call|config|hub|interceptors|kit|openapi|routing|schema|services|transcoding|http2\/hpack)\//;
/** Unless they speak of the whole process: hooks of all its tests, what it exits on, its memory, time, clock or threads. */
const OWN_PROCESS =
  /^(?:before|after|beforeEach|afterEach)\(|\bprocess\.(?:on|once|env|exit|chdir|memoryUsage|cpuUsage)\b|\bmock\.|\/(?:collect-garbage|cpu)\.js"|\/threads\//m;
const FILES_A_PROCESS = 12;

/**
 * What runs on other versions of Node than the one that everything runs on: where Node's own code decides. The rest is
 * TypeScript over plain objects; `make test-nightly` runs that on each, too.
 */
const DEPENDS_ON_NODE = [
  // How a process starts, takes signals, ends, and what it reads from files.
  /^cli\//,
  /^e2e\/(?:bad-start|drain|reload|rolling-restart|sources)\./,
  /^config\/(?:load|tls|json-schema)\./,
  /^schema\/protos\./,
  // Sockets, TLS, node:http's and node:http2's peers, timers.
  /^(?:downstream|tls|upstream)\//,
  /^http2\/[^/]*$/,
  /^e2e\/(?:attacks|auth-mtls|cancellation|concurrency|deadline|frames|grpc|header-lists|json|streams|upstream|websocket)\./,
  // zlib, threads, buffers, numbers, text and its parsers.
  /^e2e\/(?:compression|large-bodies|large-messages|xml)\./,
  /^transcoding\/(?:bodies|codec|threads|xml)\/|^transcoding\/messages\/json/,
  /^http2\/hpack\/(?:huffman|nghttp2)\./,
  /^call\/messages|^kit\/text\//,
  // WebCrypto and fetch; OpenTelemetry's own gRPC.
  /^interceptors\/auth-jwt\./,
  /^telemetry\/trace\./,
  // What users import and what runs all this.
  /^(?:index|package|test-runner)\./,
];

/** With npm packages only, but long: `make test` leaves them to `make test-all`. */
const LONG = [/^e2e\/(?:attacks|chaos|injection)\./, /^fuzz\/fuzz\./, /^linear\./];

/** Long, and seldom breaking: `make test-nightly` runs them. */
const NIGHTLY = [
  // Thousands of injected throws: e2e/injection has each place once.
  /^e2e\/injection-all\./,
  // The commands of the documentation once more, with curl and grpcurl: docs.test runs each with programs of our own.
  /^tools\/docs\./,
  // The package from the registry, three times: package.test looks at what is in it, without one.
  /^tools\/install\./,
  // A Debian and an image are made.
  /^tools\/image\./,
  // Clients in four languages: tools/openapi-typescript has one.
  /^tools\/openapi-generator\./,
  // Gigabytes through foreign servers: e2e/large-bodies has the same between our own.
  /^tools\/large-bodies\./,
];

const matches = (patterns, path) => patterns.some((pattern) => pattern.test(path));

/**
 * Returns the files of each process, in the order to run them; empty when nothing matches. By default those that need
 * npm packages only and are not long; with `long` those too, with `all` also those beside foreign programs, with `nightly`
 * the longest; with `nodeOnly` what depends on the version of Node. `parts` of their paths choose among all of them.
 */
export function planTests(folder, { all, long, nightly, nodeOnly, parts }) {
  const wanted = (path) => {
    if (nodeOnly && !matches(DEPENDS_ON_NODE, path)) return false;
    if (parts.length > 0) return parts.some((part) => path.includes(part));
    if (nightly) return true;
    if (matches(NIGHTLY, path)) return false;
    if (all) return true;
    return !path.startsWith("tools/") && (long || nodeOnly || !matches(LONG, path));
  };
  const paths = (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [])
    .filter((path) => path.endsWith(".test.js") && wanted(path))
    .sort();
  const whole = (path) => join(folder, path);
  const shared = paths.filter(
    (path) => UNITS.test(path) && !OWN_PROCESS.test(readFileSync(whole(path), "utf8")),
  );
  const alone = paths.filter((path) => !shared.includes(path));
  return [
    ...alone.filter((path) => FIRST.test(path)).map((path) => [path]),
    ...inGroups(shared),
    ...alone.filter((path) => !FIRST.test(path)).map((path) => [path]),
  ].map((group) => group.map(whole));
}

/** Neighbours share a process, so that a new file changes little of who is together with whom. */
function inGroups(paths) {
  const size = Math.ceil(paths.length / Math.ceil(paths.length / FILES_A_PROCESS));
  return Array.from({ length: Math.ceil(paths.length / size) }, (_, at) =>
    paths.slice(at * size, (at + 1) * size),
  );
}
