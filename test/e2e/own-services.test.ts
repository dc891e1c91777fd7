// What the hub itself answers: health and reflection on the port of the services, and the admin listener.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionClient as V1,
} from "#generated/grpc/reflection/v1/reflection.js";
import { ServerReflectionClient as V1Alpha } from "#generated/grpc/reflection/v1alpha/reflection.js";
import { behaviorClient, callUnary, insecure, streamed } from "./support/grpc.js";
import { HealthClient } from "./support/health.js";
import { startHub, startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const behaviorService = await startService(scope, "behavior");
const libraryService = await startService(scope, "library");
const hub = await startHub(scope, [
  `behavior=${behaviorService.address}`,
  `library=${libraryService.address}`,
]);
const health = new HealthClient(scope, hub.address);

const BEHIND = ["library.v1.LibraryService", "library.v2.LibraryService", "test.v1.BehaviorService"];
const OWN = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

describe("health", () => {
  for (const service of ["", ...BEHIND]) {
    test(`Check of "${service}" is SERVING`, async () => {
      assert.deepEqual(await health.check(service), { serving: "SERVING" });
    });
  }

  test("Check of a service that does not exist is NOT_FOUND", async () => {
    assert.deepEqual(await health.check("no.such.Service"), { code: status.NOT_FOUND });
  });

  test("Watch reports a service, and an unknown one", async () => {
    assert.deepEqual(await health.until("library.v2.LibraryService", "SERVING"), ["SERVING"]);
    assert.deepEqual(await health.until("no.such.Service", "SERVICE_UNKNOWN"), ["SERVICE_UNKNOWN"]);
  });
});

type Question = ServerReflectionRequest["messageRequest"];
type Answer = ServerReflectionResponse["messageResponse"];

/** Both versions have the same messages. */
const CLIENTS: Readonly<Record<string, new (address: string, credentials: typeof insecure) => V1 | V1Alpha>> =
  {
    v1: V1,
    v1alpha: V1Alpha,
  };

for (const [version, Client] of Object.entries(CLIENTS)) {
  const ask = async (messageRequest: Question): Promise<Answer> => {
    const client = new Client(hub.address, insecure);
    const call = client.serverReflectionInfo();
    call.write({ host: "", messageRequest });
    call.end();
    const { messages } = await streamed<ServerReflectionResponse>(call);
    client.close();
    return messages[0]?.messageResponse;
  };

  describe(`reflection ${version}`, () => {
    test("lists all that can be called", async () => {
      const answer = await ask({ $case: "listServices", value: "" });
      assert.ok(answer?.$case === "listServicesResponse");
      const names = answer.value.service.map(({ name }) => name);
      assert.deepEqual([...names].sort(), [...OWN, ...BEHIND].sort());
    });

    test("describes a service behind the hub, its HTTP rules included", async () => {
      const answer = await ask({ $case: "fileContainingSymbol", value: "library.v1.LibraryService" });
      assert.ok(answer?.$case === "fileDescriptorResponse");
      assert.ok(
        answer.value.fileDescriptorProto.some((file) => Buffer.from(file).includes("/v1/{name=books/*}")),
      );
    });

    // Of the statuses that the hub itself makes, and of services whose descriptors lack them.
    for (const symbol of [
      "Status",
      "Code",
      "ErrorInfo",
      "BadRequest.FieldViolation",
      "RetryInfo",
      "NOT_FOUND",
    ])
      test(`describes google.rpc.${symbol}`, async () => {
        const answer = await ask({ $case: "fileContainingSymbol", value: `google.rpc.${symbol}` });
        assert.ok(answer?.$case === "fileDescriptorResponse", JSON.stringify(answer));
      });

    test("does not know an unknown service", async () => {
      const answer = await ask({ $case: "fileContainingSymbol", value: "no.such.Service" });
      assert.ok(answer?.$case === "errorResponse");
      assert.equal(answer.value.errorCode, status.NOT_FOUND);
    });
  });
}

test("reflection can be switched off", async (t) => {
  const closed = await startHubWithConfig(
    t,
    `{ upstreams: { library: { endpoints: ["${libraryService.address}"] } }, reflection: false }`,
  );
  const client = new V1(closed.address, insecure);
  const call = client.serverReflectionInfo();
  call.end();
  assert.equal((await streamed(call)).code, status.UNIMPLEMENTED);
  client.close();
  assert.deepEqual(await new HealthClient(t, closed.address).check(""), { serving: "SERVING" });
});

describe("the admin listener", () => {
  const PAGES: Readonly<Record<string, RegExp>> = {
    "/livez": /true/,
    "/readyz": /true/,
    "/routes": /"\/v1\/books"/,
    "/upstreams": /library\.v2\.LibraryService/,
  };
  for (const [path, pattern] of Object.entries(PAGES)) {
    test(`${path} is 200`, async () => {
      const answer = await fetch(hub.adminUrl + path);
      assert.equal(answer.status, 200);
      assert.match(await answer.text(), pattern);
    });
  }

  test("the client port shows none of it", async () => {
    for (const path of Object.keys(PAGES)) {
      assert.equal((await fetch(`http://${hub.address}${path}`)).status, 404, path);
    }
  });

  test("every route that it lists is there", async () => {
    const { routes } = (await (await fetch(`${hub.adminUrl}/routes`)).json()) as {
      routes: Record<string, string>[];
    };
    for (const { verb, path, upstream, method } of routes) {
      assert.ok(upstream === "library" || upstream === "behavior", `${method} of ${upstream}`);
      if (verb === undefined || verb === "gRPC" || path === undefined) continue;
      const concrete = path
        .replace(/\{[^=}]*=?([^}]*)\}/g, (_, pattern: string) => pattern || "x")
        .replaceAll("*", "x");
      const answer = await fetch(`http://${hub.address}${concrete}`, {
        method: verb,
        body: verb === "GET" || verb === "DELETE" ? null : "{}",
        headers: { "content-type": "application/json" },
      });
      const text = await answer.text();
      // Whatever the service says to nonsense; the hub's own 404 has its own words.
      assert.doesNotMatch(text, /no route/i, `${verb} ${concrete}: ${answer.status} ${text}`);
      assert.notEqual(answer.status, 405, `${verb} ${concrete}`);
    }
  });
});

describe("an unknown service", () => {
  test("an unknown service is UNIMPLEMENTED, and so is an unknown method", async () => {
    const client = behaviorClient(scope, hub.address);
    for (const [path, named] of [
      ["/no.such.Service/Unary", "no.such.Service"],
      ["/test.v1.BehaviorService/NoSuchMethod", "NoSuchMethod"],
    ] as const) {
      const outcome = await new Promise<{ code: number; details: string }>((resolve) => {
        const identity = (bytes: Buffer): Buffer => bytes;
        client.makeUnaryRequest(path, identity, identity, Buffer.alloc(0), (error) =>
          resolve({ code: error?.code ?? 0, details: error?.details ?? "" }),
        );
      });
      assert.equal(outcome.code, status.UNIMPLEMENTED, outcome.details);
      assert.ok(outcome.details.includes(named), outcome.details);
    }
    assert.equal((await callUnary(client, {})).code, status.OK);
  });

  for (const path of ["/no.such.Service/Unary", "/", "/v9/books", "//", "/%"]) {
    test(`JSON: POST ${path} is 404 or 400`, async () => {
      const answer = await fetch(`http://${hub.address}${path}`, { method: "POST", body: "{}" });
      assert.ok([400, 404].includes(answer.status), String(answer.status));
      assert.equal(answer.headers.get("content-type"), "application/json");
    });
  }
});
