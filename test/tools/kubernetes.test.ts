// Endpoints of a Kubernetes Service, by the API of a real kube-apiserver beside an etcd: slices that come, change and go,
// conditions, ports, zones, both families, rights, history that is gone, the server away and back.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { formatAddress } from "#src/config/address.js";
import { systemClock } from "#src/kit/clock.js";
import { Cluster } from "#src/upstream/cluster.js";
import type { EndpointInfo, EndpointWatcher } from "#src/upstream/discovery/endpoint-source.js";
import { openSource } from "#src/upstream/discovery/sources.js";
import { temporaryFolder } from "../e2e/support/hub.js";
import { ROOT } from "../e2e/support/program.js";
import { freeAddress } from "../support/free-address.js";
import { H2Service } from "../support/h2-service.js";
import { until } from "../support/until.js";
import { Exchange } from "../upstream/support/exchange.js";
import { type Daemon, startDaemon } from "./support/daemons.js";

const scope = { after };
const folder = await temporaryFolder(scope);
const [etcd, peer, api] = [await freeAddress(), await freeAddress(), await freeAddress()];
const ADMIN = "admin-token";
const READER = "reader-token";
const NOBODY = "nobody-token";

await startDaemon(scope, "etcd", etcd, [
  `--data-dir=${join(folder, "data")}`,
  `--listen-client-urls=http://${etcd}`,
  `--advertise-client-urls=http://${etcd}`,
  `--listen-peer-urls=http://${peer}`,
  `--initial-advertise-peer-urls=http://${peer}`,
  `--initial-cluster=default=http://${peer}`,
]);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
await writeFile(join(folder, "sa.key"), privateKey.export({ type: "pkcs8", format: "pem" }));
await writeFile(
  join(folder, "tokens.csv"),
  [
    `${ADMIN},admin,1,system:masters`,
    `${READER},system:serviceaccount:linchpin:linchpin,2`,
    `${NOBODY},nobody,3`,
  ].join("\n"),
);

async function startApi(): Promise<Daemon> {
  const daemon = await startDaemon(scope, "kube-apiserver", api, [
    `--etcd-servers=http://${etcd}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${api.split(":")[1]}`,
    `--cert-dir=${join(folder, "certs")}`,
    "--service-account-issuer=https://kubernetes.test",
    `--service-account-key-file=${join(folder, "sa.key")}`,
    `--service-account-signing-key-file=${join(folder, "sa.key")}`,
    "--service-cluster-ip-range=10.96.0.0/16",
    `--token-auth-file=${join(folder, "tokens.csv")}`,
    "--authorization-mode=RBAC",
  ]);
  for (const end = performance.now() + 60_000; (await call("GET", "/readyz")).status !== 200; )
    assert.ok(performance.now() < end, "kube-apiserver is not ready");
  return daemon;
}

async function call(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
  const [host, port] = api.split(":");
  return new Promise((resolve) => {
    const sent = request(
      {
        host,
        port,
        path,
        method,
        rejectUnauthorized: false,
        headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on("error", (error) => resolve({ status: 0, text: error.message }));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function create(path: string, body: object): Promise<void> {
  const { status, text } = await call("POST", path, body);
  assert.ok(status === 201 || status === 409, `${path}: ${status} ${text}`);
}

const SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";

interface SliceOptions {
  readonly ports?: readonly object[];
  readonly addressType?: string;
  readonly service?: string;
}

/** Makes a slice, or puts another one in its place. */
async function slice(name: string, endpoints: readonly object[], options: SliceOptions = {}): Promise<void> {
  const { ports = [{ name: "grpc", port: 50051 }], addressType = "IPv4", service = "library" } = options;
  const body = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, labels: { "kubernetes.io/service-name": service } },
    addressType,
    endpoints,
    ports,
  };
  const before = await call("GET", `${SLICES}/${name}`);
  const { status, text } =
    before.status === 404 ? await call("POST", SLICES, body) : await call("PUT", `${SLICES}/${name}`, body);
  assert.ok(status === 200 || status === 201, `${name}: ${status} ${text}`);
}

let apiServer = await startApi();
for (const namespace of ["shop", "linchpin"])
  await create("/api/v1/namespaces", { metadata: { name: namespace } });
await create("/api/v1/namespaces/shop/services", {
  metadata: { name: "library" },
  spec: { ports: [{ name: "grpc", port: 80, targetPort: 50051 }] },
});

/** The rights that deploy/ gives, for the namespace of the services. */
for (const text of (await readFile(join(ROOT, "deploy/kubernetes-discovery.yaml"), "utf8")).split(
  "\n---\n",
)) {
  const { parse } = await import("yaml");
  const object: { readonly kind: string } = parse(text);
  const path = { Role: "roles", RoleBinding: "rolebindings" }[object.kind];
  if (path !== undefined) await create(`/apis/rbac.authorization.k8s.io/v1/namespaces/shop/${path}`, object);
}

async function kubeconfig(token: string): Promise<string> {
  const file = join(folder, `kubeconfig-${token}`);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "test",
        cluster: {
          server: `https://127.0.0.1:${api.split(":")[1]}`,
          "certificate-authority": join(folder, "certs/apiserver.crt"),
          "tls-server-name": "kubernetes",
        },
      },
    ],
    users: [{ name: "hub", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "hub" } }],
    "current-context": "test",
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

class Heard implements EndpointWatcher {
  all: readonly EndpointInfo[] = [];
  said: string | undefined = undefined;
  readonly problems: string[] = [];

  endpoints(...[all, problem]: Parameters<EndpointWatcher["endpoints"]>): void {
    this.all = all;
    this.said = problem;
  }

  problem(text: string): void {
    this.said = text;
    this.problems.push(text);
  }

  get list(): string {
    return this.all
      .map((one) => formatAddress(one) + (one.zone === undefined ? "" : `@${one.zone}`))
      .sort()
      .join(" ");
  }

  async become(list: string, said?: RegExp): Promise<void> {
    const fits = (): boolean =>
      this.list === list && (said === undefined ? this.said === undefined : said.test(this.said ?? ""));
    await until(fits, `${list} ${said}`).catch((error: Error) => {
      throw new Error(`${error.message}, not ${this.list} (${this.said}), after ${this.problems.join("; ")}`);
    });
  }
}

async function follow(port: string, token = READER, service = "library"): Promise<Heard> {
  const heard = new Heard();
  const login = { kubeconfig: await kubeconfig(token) };
  const context = { clock: systemClock, random: Math.random, env: {}, login };
  const watch = openSource(`kubernetes:///${service}.shop:${port}`, context).watch(heard);
  scope.after(async () => watch.close());
  return heard;
}

const one = (address: string, conditions: object = {}, more: object = {}): object => ({
  addresses: [address],
  conditions,
  ...more,
});

describe("kube-apiserver", () => {
  test("slices come, change and go; conditions, ports, zones and both families count", async () => {
    const heard = await follow("grpc");
    await heard.become("", /there is no EndpointSlice of the service library in the namespace shop/);
    await slice("library-1", [one("10.0.0.1", { ready: true }, { zone: "a" }), one("10.0.0.2")]);
    await heard.become("10.0.0.1:50051@a 10.0.0.2:50051");
    assert.equal((heard.all[0] as { name?: string }).name, "library.shop.svc");
    // A second slice, an endpoint in both, IPv6, another service, another port.
    await slice("library-2", [one("10.0.0.2"), one("10.0.0.3")], { ports: [{ name: "grpc", port: 50052 }] });
    await slice("library-6", [one("fd00::1")], { addressType: "IPv6" });
    await slice("other-1", [one("10.0.9.9")], { service: "other" });
    await slice("library-m", [one("10.0.0.1")], { ports: [{ name: "metrics", port: 9090 }] });
    await heard.become("10.0.0.1:50051@a 10.0.0.2:50051 10.0.0.2:50052 10.0.0.3:50052 [fd00::1]:50051");
    const byNumber = await follow("9090");
    await byNumber.become("10.0.0.1:9090");
    await (await follow("nothing")).become("", /has no port nothing; it has .*grpc \(50051\)/);
    for (const name of ["library-2", "library-6"]) await call("DELETE", `${SLICES}/${name}`);
    await heard.become("10.0.0.1:50051@a 10.0.0.2:50051");

    // One leaves; then all that are ready have left; then nobody serves.
    const leaving = { ready: false, serving: true, terminating: true };
    await slice("library-1", [one("10.0.0.1", leaving), one("10.0.0.2")]);
    await heard.become("10.0.0.2:50051");
    await slice("library-1", [one("10.0.0.1", leaving), one("10.0.0.2", { ready: false, serving: false })]);
    await heard.become("10.0.0.1:50051");
    await slice("library-1", [one("10.0.0.1", { ready: false, serving: false, terminating: true })]);
    await heard.become("", /no endpoint of the service library in shop is ready: it has 1$/);
    await slice("library-1", [one("10.0.0.4")]);
    await heard.become("10.0.0.4:50051");
  });

  test("a user without rights is reported as 403, and a wrong token as 401", async () => {
    await (await follow("grpc", NOBODY)).become(
      "",
      /403 endpointslices.* is forbidden: User "nobody" cannot list/,
    );
    await (await follow("grpc", "wrong-token")).become("", /401/);
  });

  test("a cluster calls what is there; addresses of slices are never loopback ones, so the test leads them there", async (t) => {
    const service = await new H2Service((request) => request.ok()).start();
    t.after(() => service.stop());
    await slice("calls-1", [one("10.0.2.1"), one("10.0.2.2", { ready: false })], { service: "calls" });
    const context = {
      clock: systemClock,
      random: Math.random,
      env: {},
      login: { kubeconfig: await kubeconfig(READER) },
    };
    const cluster = new Cluster({ name: "calls" });
    t.after(() => cluster.close());
    cluster.follow(openSource("kubernetes:///calls.shop:50051", context), (endpoint) => ({
      address: formatAddress(endpoint),
      dial: service.dial,
    }));
    const exchange = new Exchange(cluster).send("question", true);
    assert.equal(await exchange.status(), "0");
    assert.equal(exchange.call.attempt?.endpoint?.address, "10.0.2.1:50051");
  });

  // The last: what it starts ends with it.
  test("the server is stopped and started again, changes meanwhile are seen, and what it keeps no more is 410 Gone", async (t) => {
    await slice("library-1", [one("10.0.1.1")]);
    const heard = await follow("grpc");
    await heard.become("10.0.1.1:50051");
    await apiServer.stop();
    await heard.become("10.0.1.1:50051", /ECONNREFUSED|ended|socket|premature/i);
    apiServer = await startApi();
    await slice("library-1", [one("10.0.1.2")]);
    await heard.become("10.0.1.2:50051");

    // It has read all anew, and keeps nothing from before.
    const { openKubernetes } = await import("#src/upstream/discovery/kubernetes-client.js");
    const context = {
      clock: systemClock,
      random: Math.random,
      env: {},
      login: { kubeconfig: await kubeconfig(READER) },
    };
    const said: string[] = [];
    const end = openKubernetes({ service: "library", namespace: "shop", port: "grpc" }, context).watch("1", {
      onChange: () => said.push("change"),
      onGone: () => said.push("gone"),
      onBookmark: () => said.push("bookmark"),
      onExpired: () => said.push("expired"),
      onEnd: (problem) => said.push(String(problem)),
    });
    t.after(end);
    await until(() => said.length > 0, "the end of the watch");
    assert.deepEqual(said, ["expired"]);
  });
});
