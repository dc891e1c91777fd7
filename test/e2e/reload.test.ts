// A reload while the hub serves: the new config holds at once, a wrong one changes nothing, and no call is lost.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { BidiStreamRequest } from "#generated/test/v1/behavior.js";
import { until } from "../support/until.js";
import { behaviorClient, callServerStream, callUnary, streamed } from "./support/grpc.js";
import { fileOf, startHub, temporaryFolder } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const [one, two] = await Promise.all([
  startService(scope, "behavior", { instance: "one" }),
  startService(scope, "behavior", { instance: "two" }),
]);

function configOf(endpoints: readonly string[], deadline: string): string {
  return `
upstreams: { behavior: { endpoints: [${endpoints.map((e) => `"${e}"`).join(", ")}] } }
interceptors: { deadline: { default: ${deadline} } }
`;
}

async function reload(adminUrl: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${adminUrl}/reload`, { method: "POST" });
  return { status: response.status, body: await response.text() };
}

describe("reload", () => {
  test("POST /reload and SIGHUP take the file's new content; a wrong file changes nothing", async () => {
    const file = await fileOf(scope, "linchpin.yaml", configOf([one.address], "20s"));
    const hub = await startHub(scope, ["--config", file]);
    const client = behaviorClient(scope, hub.address);
    const timeLeft = async (): Promise<number> => {
      const { code, messages } = await callUnary(client, {});
      assert.equal(code, status.OK);
      return Number(messages[0]?.seen?.timeLeft?.seconds ?? 0);
    };
    assert.ok((await timeLeft()) <= 20);

    await writeFile(file, configOf([one.address], "500s"));
    assert.equal((await reload(hub.adminUrl)).status, 200);
    assert.ok((await timeLeft()) > 400);

    await writeFile(file, `${configOf([one.address], "20s")}nonsense: [\n`);
    const refused = await reload(hub.adminUrl);
    assert.equal(refused.status, 409);
    assert.match(refused.body, /linchpin\.yaml:\d+:\d+/);
    await hub.program.stderr.waitFor(/POST \/reload: nothing was changed: .*linchpin\.yaml:\d+:\d+/);
    const metrics = await (await fetch(`${hub.adminUrl}/metrics`)).text();
    assert.match(metrics, /^linchpin_config_last_reload_successful 0$/m);
    assert.match(metrics, /^linchpin_config_last_reload_time_seconds 1\d{9}(\.\d+)?$/m);
    assert.ok((await timeLeft()) > 400, "the old config serves on");

    await writeFile(file, configOf([two.address], "30s"));
    hub.program.kill("SIGHUP");
    await hub.program.stderr.waitFor(/SIGHUP: the config was reloaded/);
    assert.match(
      await (await fetch(`${hub.adminUrl}/metrics`)).text(),
      /^linchpin_config_last_reload_successful 1$/m,
    );
    assert.ok((await timeLeft()) <= 30);
    const { messages } = await callUnary(client, {});
    assert.equal(messages[0]?.seen?.instance, "two");
  });

  test("--watch reloads when the file is edited, renamed into place, or comes by the symlinks of a ConfigMap", async () => {
    // As the kubelet lays it: linchpin.yaml → ..data/linchpin.yaml, ..data → a folder for each version.
    const folder = await temporaryFolder(scope);
    const config = (seconds: number): string => configOf([one.address], `${seconds}s`);
    const version = async (name: string, text: string): Promise<void> => {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, "linchpin.yaml"), text);
      await symlink(name, join(folder, `${name}.link`));
      await rename(join(folder, `${name}.link`), join(folder, "..data"));
    };
    await version("..v1", config(20));
    const file = join(folder, "linchpin.yaml");
    await symlink("..data/linchpin.yaml", file);
    const hub = await startHub(scope, ["--config", file, "--watch"]);
    const client = behaviorClient(scope, hub.address);
    const deadline = async (): Promise<number> => {
      const { messages } = await callUnary(client, {});
      return Math.ceil(Number(messages[0]?.seen?.timeLeft?.seconds ?? 0) / 100) * 100;
    };
    const logged = /linchpin\.yaml has changed: the config was reloaded/;
    const reloaded = (count: number): Promise<void> =>
      until(() => hub.program.stderr.matching(logged).length === count, `reload ${count}`);
    assert.equal(await deadline(), 100);

    await version("..v2", config(200));
    await reloaded(1);
    assert.equal(await deadline(), 200, "the symlinks were swapped");

    await writeFile(join(folder, "next.yaml"), config(300));
    await rename(join(folder, "next.yaml"), file);
    await reloaded(2);
    assert.equal(await deadline(), 300, "another was renamed into its place");

    await writeFile(file, `${config(400)}nonsense: [\n`);
    await hub.program.stderr.waitFor(/has changed: nothing was changed: .*linchpin\.yaml:\d+:\d+/);
    assert.equal(await deadline(), 300, "a wrong file changes nothing");

    await writeFile(file, config(400));
    await reloaded(3);
    assert.equal(await deadline(), 400, "it was edited in place");
  });

  test("a changed address needs a restart, which is reported", async () => {
    const file = await fileOf(
      scope,
      "linchpin.yaml",
      `listen: 127.0.0.1:1\n${configOf([one.address], "20s")}`,
    );
    const hub = await startHub(scope, ["--config", file]);
    await writeFile(
      file,
      configOf([one.address], "20s").replace("upstreams", "drain: { grace: 1s }\nupstreams"),
    );
    const { status: answer, body } = await reload(hub.adminUrl);
    assert.equal(answer, 200);
    assert.doesNotMatch(body, /listen/, "--listen stands before the file");
    await writeFile(file, `reflection: false\n${configOf([one.address], "20s")}`);
    assert.match((await reload(hub.adminUrl)).body, /reflection has changed.*started again/);
  });

  test("with other endpoints keeps the connections to those that stay, and the calls on them", async () => {
    const [host = "", port = ""] = one.address.split(":");
    let accepted = 0;
    const counting = createServer((socket) => {
      accepted++;
      const onward = connect({ host, port: Number(port) });
      socket.on("error", () => onward.destroy()).pipe(onward);
      onward.on("error", () => socket.destroy()).pipe(socket);
    }).listen(0, "127.0.0.1");
    await once(counting, "listening");
    scope.after(async () => void counting.close());
    const stays = `127.0.0.1:${(counting.address() as AddressInfo).port}`;
    const file = await fileOf(scope, "linchpin.yaml", configOf([stays], "20s"));
    const hub = await startHub(scope, ["--config", file]);
    const client = behaviorClient(scope, hub.address);
    const stream = client.bidiStream();
    let heard = (): void => {};
    const outcome = streamed(stream, () => heard());
    const answered = (): Promise<void> =>
      new Promise((resolve) => {
        heard = resolve;
        stream.write(BidiStreamRequest.fromPartial({}));
      });
    await answered();
    const lists = [[stays, two.address], [two.address, stays], [stays]];
    for (const [i, list] of lists.entries()) {
      await writeFile(file, configOf(list, `${30 + i}s`));
      assert.equal((await reload(hub.adminUrl)).status, 200);
      const shown = await (await fetch(`${hub.adminUrl}/upstreams`)).text();
      for (const address of list) assert.ok(shown.includes(address), shown);
      await answered();
    }
    for (let i = 0; i < 4; i++) {
      const { messages } = await callUnary(client, {});
      assert.equal(messages[0]?.seen?.instance, "one", "the endpoint that was taken out gets no more calls");
    }
    stream.end();
    assert.equal((await outcome).code, status.OK);
    assert.equal(accepted, 1);
  });

  test("under load no call is lost, and a running stream continues", async () => {
    const file = await fileOf(scope, "linchpin.yaml", configOf([one.address], "20s"));
    const hub = await startHub(scope, ["--config", file]);
    const client = behaviorClient(scope, hub.address);
    const outcomes = new Map<number, number>();
    let called = 0;
    let running = true;
    const stream = callServerStream(client, {
      behavior: { responseCount: 40, interval: { seconds: 0n, nanos: 50_000_000 } },
      payload: Buffer.from("x"),
    });
    const workers = Array.from({ length: 8 }, async () => {
      while (running) {
        const { code } = await callUnary(client, { payload: Buffer.from("x") });
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
        called++;
      }
    });
    const endpoints = [[one.address], [two.address], [one.address, two.address]];
    // On a busy machine reloads are faster than calls.
    for (let round = 0; round < 12 || called < 100; round++) {
      await writeFile(file, configOf(endpoints[round % 3] ?? [], `${20 + (round % 5)}s`));
      assert.equal((await reload(hub.adminUrl)).status, 200);
    }
    const { code, messages } = await stream;
    running = false;
    await Promise.all(workers);
    assert.deepEqual([code, messages.length], [status.OK, 40]);
    assert.deepEqual([...outcomes.keys()], [status.OK]);
  });
});
