// Endpoints in etcd, in the layout of its own gRPC naming, against a real one: keys and leases that come and go, history
// that is compacted, etcd away and back, passwords, certificates, garbage.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { request as insecure } from "node:http";
import { request as secure } from "node:https";
import { join } from "node:path";
import { describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { formatAddress } from "#src/config/address.js";
import { systemClock } from "#src/kit/clock.js";
import type { EndpointWatcher, SourceLogin, Watch } from "#src/upstream/discovery/endpoint-source.js";
import { openSource } from "#src/upstream/discovery/sources.js";
import { behaviorClient, callUnary } from "../e2e/support/grpc.js";
import { startHubWithConfig, temporaryFolder } from "../e2e/support/hub.js";
import type { Scope } from "../e2e/support/program.js";
import { startService } from "../e2e/support/service.js";
import { Authority, folder, write } from "../support/authority.js";
import { freeAddress } from "../support/free-address.js";
import { until } from "../support/until.js";
import { type Daemon, startDaemon } from "./support/daemons.js";

class Etcd {
  readonly address: string;
  readonly #start: () => Promise<Daemon>;
  #daemon: Daemon | undefined;
  token: string | undefined = undefined;
  /** What it is called with over TLS. */
  tls: { readonly ca: string; readonly cert: string; readonly key: string } | undefined = undefined;

  constructor(address: string, start: () => Promise<Daemon>) {
    this.address = address;
    this.#start = start;
  }

  static async start(scope: Scope, ...args: readonly string[]): Promise<Etcd> {
    const [address, peer, folder] = [await freeAddress(), await freeAddress(), await temporaryFolder(scope)];
    const scheme = args.length === 0 ? "http" : "https";
    const etcd = new Etcd(address, () =>
      startDaemon(scope, "etcd", address, [
        `--data-dir=${join(folder, "data")}`,
        `--listen-client-urls=${scheme}://${address}`,
        `--advertise-client-urls=${scheme}://${address}`,
        `--listen-peer-urls=http://${peer}`,
        `--initial-advertise-peer-urls=http://${peer}`,
        `--initial-cluster=default=http://${peer}`,
        ...args,
      ]),
    );
    await etcd.restart();
    return etcd;
  }

  async restart(): Promise<void> {
    this.#daemon = await this.#start();
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
  }

  /** etcd's own JSON gateway. */
  async call(path: string, body: object): Promise<Record<string, unknown>> {
    for (const end = performance.now() + 20_000; ; ) {
      const { code, text } = await this.#post(path, JSON.stringify(body));
      // Without a leader it says so, for a moment after the start.
      if (code === 200) return JSON.parse(text) as Record<string, unknown>;
      assert.ok(code >= 500 && performance.now() < end, `${path}: ${code} ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #post(path: string, body: string): Promise<{ code: number; text: string }> {
    const [host, port] = this.address.split(":");
    const headers = this.token === undefined ? {} : { authorization: this.token };
    return new Promise((resolve, reject) => {
      const send = this.tls === undefined ? insecure : secure;
      const options = { ...this.tls, host, port, path: `/v3/${path}`, method: "POST", headers };
      const sent = send(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ code: response.statusCode ?? 0, text }));
      });
      sent.on("error", reject).end(body);
    });
  }

  async put(key: string, value: unknown, lease?: string): Promise<void> {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    await this.call("kv/put", {
      key: base64(key),
      value: base64(text),
      ...(lease === undefined ? {} : { lease }),
    });
  }

  async add(name: string, address: string, metadata?: object): Promise<void> {
    await this.put(`services/library/${name}`, { Op: 0, Addr: address, Metadata: metadata ?? null });
  }

  async delete(name: string): Promise<void> {
    await this.call("kv/deleterange", { key: base64(`services/library/${name}`) });
  }

  async revision(): Promise<number> {
    const { header } = await this.call("kv/range", { key: base64("x") });
    return Number(Reflect.get(Object(header), "revision"));
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

class Heard implements EndpointWatcher {
  list = "";
  said: string | undefined = undefined;
  readonly problems: string[] = [];

  endpoints(...[all, problem]: Parameters<EndpointWatcher["endpoints"]>): void {
    this.list = all
      .map((one) => `${formatAddress(one)}${one.weight === undefined ? "" : `*${one.weight}`}`)
      .sort()
      .join(" ");
    this.said = problem;
  }

  problem(text: string): void {
    this.said = text;
    this.problems.push(text);
  }

  async become(list: string, said?: RegExp): Promise<void> {
    const fits = (): boolean =>
      this.list === list && (said === undefined ? this.said === undefined : said.test(this.said ?? ""));
    await until(fits, `${list} ${said}`).catch((error: Error) => {
      throw new Error(`${error.message}, not ${this.list} (${this.said}), after ${this.problems.join("; ")}`);
    });
  }
}

function follow(scope: Scope, target: string, login?: SourceLogin): { heard: Heard; watch: Watch } {
  const heard = new Heard();
  const watch = openSource(target, { clock: systemClock, random: Math.random, login }).watch(heard);
  scope.after(async () => watch.close());
  return { heard, watch };
}

describe("etcd", () => {
  test("keys are put and deleted, leases end, and what is garbage stands for itself", async (t) => {
    const etcd = await Etcd.start(t);
    const { heard } = follow(t, `etcd://${etcd.address}/services/library`);
    await heard.become("", /there is no key under services\/library\/ \(keys that begin with \//);
    await etcd.add("a", "10.0.0.1:1");
    await heard.become("10.0.0.1:1");
    await etcd.add("b", "10.0.0.2:2", { weight: 3, zone: "z", color: "red" });
    await heard.become("10.0.0.1:1 10.0.0.2:2*3");
    await etcd.put("services/libraryx/c", { Op: 0, Addr: "10.0.0.9:9" });
    await etcd.add("a", "10.0.0.1:11");
    await heard.become("10.0.0.1:11 10.0.0.2:2*3");
    for (const [value, said] of [
      ["no JSON", /^the key services\/library\/x has no JSON/],
      ["[]", /has no Addr/],
      ['{"Op":1,"Addr":"10.0.0.3:3"}', /has an Op that is not 0/],
      ['{"Op":0,"Addr":"nowhere"}', /has an Addr that must be HOST:PORT/],
      [
        '{"Op":0,"Addr":"10.0.0.3:3","Metadata":{"weight":-1}}',
        /has Metadata whose weight must be a whole number/,
      ],
      ['{"Op":0,"Addr":"10.0.0.1:11"}', /^10\.0\.0\.1:11 is listed more than once: it counts once/],
    ] as const) {
      await etcd.put("services/library/x", value);
      await heard.become("10.0.0.1:11 10.0.0.2:2*3", said);
    }
    await etcd.delete("x");
    const { ID } = await etcd.call("lease/grant", { TTL: "1" });
    await etcd.put("services/library/l", { Op: 0, Addr: "10.0.0.4:4" }, String(ID));
    await heard.become("10.0.0.1:11 10.0.0.2:2*3 10.0.0.4:4");
    await heard.become("10.0.0.1:11 10.0.0.2:2*3");
    // The last of them is gone: the last list stays.
    await etcd.delete("a");
    await etcd.delete("b");
    await heard.become("10.0.0.2:2*3", /there is no key under/);
  });

  test("is stopped and started again, with history compacted meanwhile", async (t) => {
    const etcd = await Etcd.start(t);
    await etcd.add("a", "10.0.0.1:1");
    const nobody = await freeAddress();
    const { heard, watch } = follow(t, `etcd://${nobody},${etcd.address}/services/library`);
    await heard.become("10.0.0.1:1");
    assert.match(
      heard.problems[0] ?? "",
      new RegExp(`^${nobody}: etcd cannot be reached: connect ECONNREFUSED`),
    );
    await etcd.stop();
    await heard.become("10.0.0.1:1", /./);
    await etcd.restart();
    for (let i = 2; i < 20; i++) await etcd.add("a", `10.0.0.${i}:1`);
    await etcd.call("kv/compaction", { revision: String(await etcd.revision()), physical: true });
    await heard.become("10.0.0.19:1");
    await etcd.add("b", "10.0.0.20:1");
    await heard.become("10.0.0.19:1 10.0.0.20:1");
    watch.close();
    await etcd.add("c", "10.0.0.21:1");
    assert.equal(heard.list, "10.0.0.19:1 10.0.0.20:1");
  });

  test("a watch that would begin before what is kept begins anew", async (t) => {
    const etcd = await Etcd.start(t);
    for (let i = 1; i < 9; i++) await etcd.add("a", `10.0.0.${i}:1`);
    await etcd.call("kv/compaction", { revision: String(await etcd.revision()), physical: true });
    const { openEtcd } = await import("#src/upstream/discovery/etcd-client.js");
    const [host = "", port = ""] = etcd.address.split(":");
    const session = openEtcd({
      host: { host, port: Number(port) },
      target: { hosts: [], prefix: "services/library/", user: undefined, password: undefined },
      context: { clock: systemClock, random: Math.random },
    });
    t.after(() => session.close());
    const said: string[] = [];
    session.watch("services/library/", 2n, {
      onChanges: () => said.push("changes"),
      onCompacted: () => said.push("compacted"),
      onFailure: (problem) => said.push(problem),
    });
    await until(() => said.length > 0, "the end of the watch");
    assert.deepEqual(said, ["compacted"]);
  });

  test("with users and passwords, in a file and in the target", async (t) => {
    const etcd = await Etcd.start(t);
    await etcd.add("a", "10.0.0.1:1");
    await etcd.call("auth/user/add", { name: "root", password: "rootpw" });
    await etcd.call("auth/user/grant", { user: "root", role: "root" });
    await etcd.call("auth/role/add", { name: "hub" });
    await etcd.call("auth/role/grant", {
      name: "hub",
      perm: { permType: "READ", key: base64("services/library/"), range_end: base64("services/library0") },
    });
    await etcd.call("auth/user/add", { name: "hub", password: "hubpw" });
    await etcd.call("auth/user/grant", { user: "hub", role: "hub" });
    await etcd.call("auth/enable", {});
    const { token } = await etcd.call("auth/authenticate", { name: "root", password: "rootpw" });
    etcd.token = String(token);
    const passwordFile = join(await temporaryFolder(t), "password");
    await writeFile(passwordFile, "wrong\n");
    const target = `etcd://${etcd.address}/services/library`;
    const { heard } = follow(t, target, { user: "hub", passwordFile });
    await heard.become(
      "",
      /INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password$/,
    );
    await writeFile(passwordFile, "hubpw\n");
    await heard.become("10.0.0.1:1");
    await follow(t, target.replace("//", "//hub:hubpw@")).heard.become("10.0.0.1:1");
    await follow(t, target).heard.become("", /user name is empty/);
    await follow(t, target.replace("library", "other").replace("//", "//hub:hubpw@")).heard.become(
      "",
      /PERMISSION_DENIED/,
    );
    await etcd.add("b", "10.0.0.2:2");
    await heard.become("10.0.0.1:1 10.0.0.2:2");
  });

  test("over TLS, with certificates of both sides", async (t) => {
    const authority = new Authority("etcd's");
    const [server, own, other] = [
      authority.server(),
      authority.issue({ cn: "hub" }),
      new Authority("another"),
    ];
    const files = write(folder({ after: (end) => t.after(end) }), {
      "ca.pem": authority.cert,
      "server.pem": server.cert,
      "server.key": server.key,
      "hub.pem": own.cert,
      "hub.key": own.key,
      "other.pem": other.cert,
    });
    const etcd = await Etcd.start(
      t,
      `--cert-file=${files["server.pem"]}`,
      `--key-file=${files["server.key"]}`,
      `--trusted-ca-file=${files["ca.pem"]}`,
      "--client-cert-auth",
    );
    etcd.tls = { ca: authority.cert, ...own };
    await etcd.add("a", "10.0.0.1:1");
    const target = `etcd://${etcd.address}/services/library`;
    const tls = { ca: files["ca.pem"], cert: files["hub.pem"], key: files["hub.key"] };
    const { heard } = follow(t, target, { tls });
    await heard.become("10.0.0.1:1");
    await etcd.add("b", "10.0.0.2:2");
    await heard.become("10.0.0.1:1 10.0.0.2:2");
    // Nothing is read from a server that is not trusted, nor by a hub that etcd does not know.
    await follow(t, target, { tls: { ...tls, ca: files["other.pem"] } }).heard.become("", /certificate/);
    await follow(t, target, { tls: { ca: files["ca.pem"] } }).heard.become(
      "",
      /etcd cannot be reached|UNAVAILABLE/,
    );
    await follow(t, target).heard.become("", /UNAVAILABLE/);
  });

  test("the hub calls what is there, without etcd too", async (t) => {
    const etcd = await Etcd.start(t);
    const [one, two] = await Promise.all([
      startService(t, "behavior", { instance: "one" }),
      startService(t, "behavior", { instance: "two" }),
    ]);
    await etcd.add("one", one.address);
    const hub = await startHubWithConfig(
      t,
      `upstreams: { behavior: { endpoints: "etcd://joe:hidden@${etcd.address}/services/library" } }\n`,
    );
    const client = behaviorClient(t, hub.address);
    const become = async (expected: string): Promise<void> => {
      let instance: string | undefined;
      for (const end = performance.now() + 30_000; instance !== expected; ) {
        const { code, messages } = await callUnary(client, {});
        assert.equal(code, status.OK);
        instance = messages[0]?.seen?.instance;
        assert.ok(performance.now() < end, `${expected}, not ${instance}`);
      }
    };
    await become("one");
    await etcd.add("two", two.address);
    await become("two");
    await etcd.delete("one");
    await etcd.stop();
    await hub.program.stderr.waitFor(/upstream "behavior": its endpoints are not known, or out of date: 127/);
    await become("two");
    const page = await (await fetch(`${hub.adminUrl}/upstreams`)).text();
    assert.match(page, /etcd:\/\/\*\*\*@127/);
    assert.doesNotMatch(`${page}${hub.program.stdout.text}${hub.program.stderr.text}`, /hidden/);
  });
});
