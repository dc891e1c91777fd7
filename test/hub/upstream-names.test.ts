// What of a client's headers a service gets: each header in each spelling, over each protocol, with each form of prefixes.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { createHub, type HubOptions } from "#src/index.js";
import { behaviorClient, callUnary, metadataOf } from "../e2e/support/grpc.js";
import { http } from "../e2e/support/http.js";
import { H2Service } from "../support/h2-service.js";

const IMAGE = fileURLToPath(new URL("../../../generated/image.binpb", import.meta.url));
const cleanups: (() => Promise<void>)[] = [];
after(async () => {
  for (const clean of cleanups.reverse()) await clean();
});

const service = await new H2Service((request) => request.ok("")).start();
cleanups.push(() => service.stop());

/** A header that HTTP defines, so that the prefix is for it too. */
const KEY_HEADER = "from";
const KEY = "the-key-of-web";

interface Names {
  readonly requestPrefix: string;
  readonly standardPrefix: string;
}
const STRICT: Names = { requestPrefix: "", standardPrefix: "" };
const GATEWAY: Names = { requestPrefix: "grpc-metadata-", standardPrefix: "grpcgateway-" };

const POLICIES: readonly (readonly [string, HubOptions["http"], Names])[] = [
  ["preset strict", { preset: "strict" }, STRICT],
  ["preset envoy", { preset: "envoy" }, STRICT],
  ["preset grpc-gateway", { preset: "grpc-gateway" }, GATEWAY],
  [
    "prefixes of one's own",
    { metadata: { requestPrefix: "in-", standardPrefix: "std-" } },
    { requestPrefix: "in-", standardPrefix: "std-" },
  ],
  [
    "preset grpc-gateway, another prefix",
    { preset: "grpc-gateway", metadata: { standardPrefix: "http-" } },
    { ...GATEWAY, standardPrefix: "http-" },
  ],
];

const PROTOCOLS = ["gRPC", "HTTP/1.1", "HTTP/2", "WebSocket"] as const;
type Protocol = (typeof PROTOCOLS)[number];

/** What becomes of a header by its own name: `standard` goes under the prefix too, `hubs` is never a client's. */
type Kind = "plain" | "standard" | "hubs";
const HEADERS: readonly (readonly [string, Kind])[] = [
  ["authorization", "standard"],
  [KEY_HEADER, "standard"],
  ["cookie", "standard"],
  ["referer", "standard"],
  ["x-own", "plain"],
  ["x-forwarded-for", "hubs"],
  ["forwarded", "hubs"],
  ["x-linchpin-identity", "hubs"],
  ["x-linchpin-roles", "hubs"],
];

async function send(protocol: Protocol, address: string, name: string, value: string): Promise<void> {
  if (protocol === "gRPC") {
    const scope = { after: (close: () => void) => void closers.push(close) };
    const closers: (() => void)[] = [];
    const client = behaviorClient(scope, address);
    await callUnary(client, {}, { metadata: metadataOf([[name, value]]) });
    for (const close of closers) close();
    return;
  }
  if (protocol === "WebSocket") {
    const socket = new WebSocket(`ws://${address}/test/v1/bidi-stream`, { headers: { [name]: value } });
    await new Promise((resolve) => socket.on("error", () => {}).on("close", resolve));
    return;
  }
  const version = protocol === "HTTP/2" ? "2" : "1.1";
  await http(version, address, "/test/v1/unary", { body: "{}", headers: { [name]: value } });
}

/** Names under which the service gets the value of a header that is sent under this name. */
function expected(
  sent: string,
  value: string,
  protocol: Protocol,
  { requestPrefix, standardPrefix }: Names,
  withheld: ReadonlySet<string>,
): string[] {
  const dashes = (name: string): string => name.replaceAll("_", "-").replaceAll(".", "-");
  const isJson = protocol !== "gRPC";
  const names: string[] = [];
  const kindOf = (name: string): Kind | undefined => HEADERS.find(([n]) => n === name)?.[1];
  if (isJson && standardPrefix !== "" && kindOf(sent) === "standard") names.push(standardPrefix + sent);
  const prefixed = isJson && requestPrefix !== "" && sent.startsWith(requestPrefix);
  const name = prefixed ? sent.slice(requestPrefix.length) : sent;
  const hubs =
    kindOf(dashes(name)) === "hubs" || (standardPrefix !== "" && dashes(name).startsWith(standardPrefix));
  if (!hubs) names.push(name);
  // A key or a token that comes under its own name is kept back under all of them.
  if (withheld.has(name)) return [];
  assert.ok(value !== "");
  return names.sort();
}

for (const [policy, options, names] of POLICIES)
  for (const authorization of [true, false])
    describe(`${policy}, forward.authorization: ${authorization}`, async () => {
      const hub = await createHub({
        listen: "127.0.0.1:0",
        log: false,
        upstreams: { behavior: { endpoints: [service.address], schema: { protoset: IMAGE } } },
        http: options,
        interceptors: {
          auth: {
            required: false,
            apiKeys: {
              header: KEY_HEADER,
              keys: [{ name: "web", sha256: createHash("sha256").update(KEY).digest("hex") }],
            },
            forward: { authorization },
          },
        },
      });
      cleanups.push(() => hub.close());
      const withheld = new Set([KEY_HEADER, ...(authorization ? [] : ["authorization"])]);

      for (const protocol of PROTOCOLS)
        test(`over ${protocol}`, async () => {
          for (const [header] of HEADERS) {
            const spellings = new Set(
              ["", names.requestPrefix, names.standardPrefix, names.requestPrefix + names.standardPrefix].map(
                (prefix) => prefix + header,
              ),
            );
            for (const spelling of [...spellings]) spellings.add(spelling.replaceAll("-", "_"));
            for (const spelling of [...spellings]) spellings.add(spelling.replace("-", "."));
            for (const sent of spellings) {
              const value = header === KEY_HEADER ? KEY : `Basic mark-of-${header}`;
              const before = service.requests.length;
              await send(protocol, hub.address, sent, value);
              assert.equal(service.requests.length, before + 1, `${sent} is taken`);
              const fields = service.requests[before]?.fields ?? [];
              const got = fields.filter(([, v]) => v.includes(value)).map(([name]) => name);
              assert.deepEqual(
                got.sort(),
                expected(sent, value, protocol, names, withheld),
                `${sent}: ${value}`,
              );
            }
          }
        });
    });
