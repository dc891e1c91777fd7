// grpc.health.v1.Health: what probes and watchers see.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { Client, credentials, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { addHealth, type Health } from "#src/services/health.js";

function methodOf(name: string): (typeof service)[string] {
  const method = service[name];
  assert.ok(method !== undefined);
  return method;
}

const Check = methodOf("Check");
const Watch = methodOf("Watch");

let server: Server;
let client: Client;
let health: Health;
let services: readonly string[] = ["a.A", "b.B"];

before(async () => {
  server = new Server();
  health = addHealth(server, () => new Map(services.map((name) => [name, undefined])));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});

after(() => {
  client.close();
  server.forceShutdown();
});

/** The status's name, or the code of the error. */
function check(name: string): Promise<unknown> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      Check.path,
      Check.requestSerialize,
      Check.responseDeserialize,
      { service: name },
      (error: ServiceError | null, response?: { status?: unknown }) =>
        resolve(error === null ? response?.status : error.code),
    );
  });
}

test("the server and its services are SERVING from the start; unknown ones are NOT_FOUND", async () => {
  assert.deepEqual(await Promise.all(["", "a.A", "b.B", "c.C"].map(check)), [
    "SERVING",
    "SERVING",
    "SERVING",
    status.NOT_FOUND,
  ]);
});

test("a status can be set for one service, and for the whole, and watchers hear of a change once", async () => {
  const watch = client.makeServerStreamRequest(
    Watch.path,
    Watch.requestSerialize,
    Watch.responseDeserialize,
    {
      service: "a.A",
    },
  );
  watch.on("error", () => {});
  const heard: unknown[] = [];
  watch.on("data", (response: { status: unknown }) => heard.push(response.status));
  await once(watch, "data");
  health.set("a.A", false);
  health.set("a.A", false);
  await once(watch, "data");
  health.set("a.A", true);
  await once(watch, "data");
  watch.cancel();
  assert.deepEqual(heard, ["SERVING", "NOT_SERVING", "SERVING"]);

  health.set("", false);
  assert.deepEqual(await Promise.all(["", "a.A"].map(check)), ["NOT_SERVING", "SERVING"]);
  health.set("", true);
});

test("services come and go", async () => {
  health.set("b.B", false);
  services = ["b.B", "c.C"];
  health.refresh();
  assert.deepEqual(await Promise.all(["", "a.A", "b.B", "c.C"].map(check)), [
    "SERVING",
    "UNKNOWN",
    "NOT_SERVING",
    "SERVING",
  ]);
  services = ["a.A"];
  health.refresh();
  assert.equal(await check("a.A"), "SERVING");
});
