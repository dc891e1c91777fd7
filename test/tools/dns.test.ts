// Endpoints by DNS from a real server, dnsmasq: every address of a name, SRV records, changes, and the server gone.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { behaviorClient, callUnary } from "../e2e/support/grpc.js";
import { startHubWithConfig, temporaryFolder } from "../e2e/support/hub.js";
import { startService } from "../e2e/support/service.js";
import { freeAddress } from "../support/free-address.js";
import { type Daemon, startDaemon } from "./support/daemons.js";

const scope = { after };
const [one, two] = await Promise.all([
  startService(scope, "behavior", { instance: "one" }),
  startService(scope, "behavior", { instance: "two" }),
]);

/** The same port of another address of this machine, for one of the services. */
async function forwarded(host: string, port: number, to: string): Promise<number> {
  const [, target = ""] = to.split(":");
  const server = createServer((socket) => {
    const other = connect(Number(target), "127.0.0.1");
    socket.pipe(other).pipe(socket);
    for (const [end, peer] of [
      [socket, other],
      [other, socket],
    ] as const) {
      end.on("error", () => {});
      end.on("close", () => peer.destroy());
    }
  });
  scope.after(() => server.close());
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

test("dnsmasq", async (t) => {
  const port = await forwarded("127.0.0.2", 0, one.address);
  await forwarded("127.0.0.3", port, two.address);
  const folder = await temporaryFolder(t);
  const hosts = join(folder, "hosts");
  const dns = await freeAddress();
  const [, dnsPort = ""] = dns.split(":");
  const [, twoPort = ""] = two.address.split(":");
  const start = (): Promise<Daemon> =>
    startDaemon(t, "dnsmasq", dns, [
      "--keep-in-foreground",
      "--conf-file=/dev/null",
      "--pid-file=",
      "--user=root",
      "--no-resolv",
      "--local=/test/",
      "--no-hosts",
      `--addn-hosts=${hosts}`,
      `--port=${dnsPort}`,
      "--listen-address=127.0.0.1",
      "--bind-interfaces",
      "--local-ttl=1",
      `--srv-host=_grpc._tcp.behavior.test,two.test,${twoPort},0,10`,
      "--host-record=two.test,127.0.0.1",
    ]);
  await writeFile(hosts, "127.0.0.2 behavior.test\n127.0.0.3 behavior.test\n");
  let server = await start();
  const hub = await startHubWithConfig(
    t,
    `
upstreams:
  behavior: { endpoints: "dns://${dns}/behavior.test:${port}" }
  other: { endpoints: "dns+srv://${dns}/_grpc._tcp.behavior.test", schema: none, services: [other.Service] }
`,
  );
  const client = behaviorClient(t, hub.address);
  const instances = async (calls: number): Promise<string> => {
    const seen = new Set<string | undefined>();
    for (let i = 0; i < calls; i++) {
      const { code, messages } = await callUnary(client, {});
      assert.equal(code, status.OK);
      seen.add(messages[0]?.seen?.instance);
    }
    return [...seen].sort().join();
  };
  const become = async (expected: string): Promise<void> => {
    for (const end = performance.now() + 30_000; (await instances(6)) !== expected; )
      assert.ok(performance.now() < end, `${expected}, not ${await instances(6)}`);
  };

  await become("one,two");
  const page = async (): Promise<string> => (await fetch(`${hub.adminUrl}/upstreams`)).text();
  assert.match(await page(), new RegExp(`"address": "127\\.0\\.0\\.1:${twoPort}"`));

  await writeFile(hosts, "127.0.0.3 behavior.test\n");
  server.kill("SIGHUP");
  await become("two");

  // Without the server, and with one that does not know the name any more, calls go on.
  await server.stop();
  await hub.program.stderr.waitFor(
    /upstream "behavior": its endpoints are not known, or out of date: behavior\.test: /,
  );
  assert.equal(await instances(10), "two");
  await writeFile(hosts, "127.0.0.3 nobody.test\n");
  server = await start();
  await hub.program.stderr.waitFor(/out of date: behavior\.test: the name has no such record/);
  assert.equal(await instances(10), "two");
  await writeFile(hosts, "127.0.0.2 behavior.test\n");
  server.kill("SIGHUP");
  await become("one");
  await hub.program.stderr.waitFor(/upstream "behavior": its endpoints are known again/);
});
