// Retries as clients and services see them: real gRPC services that fail, called over gRPC and JSON through a whole hub.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Metadata, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import {
  Book,
  LibraryServiceClient,
  type LibraryServiceServer,
  LibraryServiceService,
} from "#generated/library/v1/library.js";
import { createHub, type Hub } from "#src/index.js";
import { Store } from "#src/samples/library/store.js";
import { libraryV1 } from "#src/samples/library/v1.js";
import { until } from "../support/until.js";
import { readPrometheus, sampleValue } from "../telemetry/support/prometheus.js";
import { insecure, single } from "./support/grpc.js";
import { http } from "./support/http.js";
import { temporaryFolder } from "./support/hub.js";

const IMAGE = join(fileURLToPath(new URL("../../../", import.meta.url)), "generated/image.binpb");

/** What a service saw of its calls, and how many of the next ones it fails. */
class Library {
  readonly seen: string[] = [];
  readonly previous: (string | undefined)[] = [];
  failures = 0;
  /** Calls are not answered but by these. */
  silent = false;
  readonly answers: (() => void)[] = [];
  cancelled = 0;
  address = "";

  private readonly implementation: LibraryServiceServer = {
    ...libraryV1(new Store()),
    getBook: (call, callback) => {
      this.note("GetBook", call.metadata);
      const answer = (): void => callback(this.error(), Book.fromPartial({ title: "found" }));
      call.on("cancelled", () => this.cancelled++);
      if (this.silent) this.answers.push(answer);
      else answer();
    },
    createBook: (call, callback) => {
      this.note("CreateBook", call.metadata);
      callback(this.error(), Book.fromPartial({ title: "made" }));
    },
  };

  private note(method: string, metadata: Metadata): void {
    this.seen.push(method);
    this.previous.push(metadata.get("grpc-previous-rpc-attempts")[0]?.toString());
  }

  private error(): Partial<ServiceError> | null {
    if (this.failures === 0) return null;
    this.failures--;
    return { code: status.UNAVAILABLE, details: "not now" };
  }

  async start(t: TestContext): Promise<this> {
    const server = new Server();
    server.addService(LibraryServiceService, this.implementation);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    t.after(() => server.forceShutdown());
    this.address = `127.0.0.1:${port}`;
    return this;
  }
}

interface Options {
  /** Of the upstream. */
  readonly keys?: string;
  readonly rest?: string;
  readonly services?: number;
  readonly serviceConfig?: object;
}

async function setup(t: TestContext, { keys = "", rest = "", services = 1, serviceConfig }: Options) {
  const folder = await temporaryFolder(t);
  const libraries = await Promise.all(Array.from({ length: services }, () => new Library().start(t)));
  const log = join(folder, "access.log");
  const file = join(folder, "linchpin.yaml");
  const write = (more = "") =>
    writeFile(
      file,
      `listen: 127.0.0.1:0
admin: 127.0.0.1:0
upstreams:
  library: { endpoints: [${libraries.map(({ address }) => address).join(", ")}], schema: { protoset: ${IMAGE} }, ${keys}${more} }
interceptors:
  accessLog: { destination: ${log} }
${rest}`,
    );
  await write();
  if (serviceConfig !== undefined)
    await writeFile(join(folder, "service.json"), JSON.stringify(serviceConfig));
  const hub: Hub = await createHub({ configFile: file, log: false });
  t.after(() => hub.close());
  const client = new LibraryServiceClient(hub.address, insecure, { "grpc.enable_retries": 0 });
  t.after(() => client.close());
  const [library] = libraries;
  assert.ok(library !== undefined);
  const metrics = async () => {
    const { text } = await http("1.1", new URL(hub.adminUrl ?? "").host, "/metrics");
    return readPrometheus(text);
  };
  /** Lines of the access log, once the hub has ended. */
  const lines = async (): Promise<Record<string, unknown>[]> => {
    await hub.close();
    const text = await readFile(log, "utf8");
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  };
  const getBook = (options = {}) =>
    single<Book>((done) => client.getBook({ name: "books/1" }, new Metadata(), options, done));
  return { hub, client, library, libraries, write, metrics, lines, getBook };
}

test("gRPC and JSON clients do not notice that a service fails twice; a quota counts their calls once", async (t) => {
  const { hub, client, library, metrics, lines, getBook } = await setup(t, {
    keys: "retries: { backoff: { base: 1ms } }",
    rest: "  quota: [{ name: few, key: [], rate: 1/h, burst: 3 }]\n",
  });
  library.failures = 2;
  assert.equal((await getBook()).messages[0]?.title, "found");
  assert.deepEqual(library.previous, [undefined, "1", "2"]);
  library.failures = 2;
  const json = await http("1.1", hub.address, "/v1/books/1");
  assert.deepEqual([json.status, json.headers["grpc-status"]], [200, undefined], json.text);
  assert.equal(library.seen.length, 6);
  // What is not idempotent is called once, whatever becomes of it.
  library.failures = 2;
  const made = await single<Book>((done) =>
    client.createBook({ book: Book.fromPartial({ title: "x" }), bookId: "" }, done),
  );
  assert.deepEqual([made.code, made.details], [status.UNAVAILABLE, "not now"]);
  assert.deepEqual(library.seen.slice(6), ["CreateBook"]);
  const text = await metrics();
  const upstream = { linchpin_upstream: "library" };
  const retries = (kind: string) =>
    sampleValue(text, "linchpin_retries_total", { ...upstream, linchpin_attempt_kind: kind });
  assert.deepEqual([retries("retry"), retries("hedge"), retries("transparent")], [4, 0, 0]);
  const attempts = (kind: string, code: string) =>
    sampleValue(text, "rpc_client_call_duration_seconds_count", {
      ...upstream,
      rpc_method: "library.v1.LibraryService/GetBook",
      linchpin_attempt_kind: kind,
      rpc_response_status_code: code,
    });
  assert.deepEqual(
    [attempts("first", "UNAVAILABLE"), attempts("retry", "UNAVAILABLE"), attempts("retry", "OK")],
    [2, 2, 2],
  );
  assert.equal(sampleValue(text, "linchpin_replay_bytes", {}), 0);
  // Three calls were counted, not seven attempts: the fourth is one too many.
  assert.equal((await getBook()).code, status.RESOURCE_EXHAUSTED);
  assert.deepEqual(
    (await lines()).map(({ status: code, attempts }) => [code, attempts]),
    [
      ["OK", 3],
      ["OK", 3],
      ["UNAVAILABLE", 1],
      ["RESOURCE_EXHAUSTED", 0],
    ],
  );
});

test("a failure that stays is the client's, with the service's words, after as many attempts as are allowed", async (t) => {
  const { hub, library, getBook } = await setup(t, {
    keys: "retries: { attempts: 2, backoff: { base: 1ms } }",
  });
  library.failures = 4;
  const outcome = await getBook();
  assert.deepEqual([outcome.code, outcome.details, library.seen.length], [status.UNAVAILABLE, "not now", 2]);
  const json = await http("2", hub.address, "/v1/books/1");
  assert.deepEqual([json.status, library.seen.length], [503, 4]);
});

test("a hedge responds for a silent service, whose attempt is cancelled", async (t) => {
  const { libraries, lines, getBook } = await setup(t, {
    keys: "retries: { hedge: { delay: 20ms }, attempts: 2 }",
    services: 2,
  });
  const [one, other] = libraries;
  assert.ok(one !== undefined && other !== undefined);
  one.silent = true;
  other.silent = true;
  const outcome = getBook();
  await until(() => one.answers.length === 1 && other.answers.length === 1, "the call at both");
  one.answers[0]?.();
  assert.equal((await outcome).messages[0]?.title, "found");
  await until(() => other.cancelled === 1, "the end of the other");
  const [line] = await lines();
  assert.deepEqual([line?.attempts, line?.endpoint], [2, one.address]);
});

test("a gRPC service config says what is retried, and how long a call may take; its tokens outlive a reload", async (t) => {
  const service = "library.v1.LibraryService";
  const { hub, library, getBook, write, metrics } = await setup(t, {
    keys: "serviceConfig: service.json",
    // Without the timeout of the service config the last call would never end.
    rest: "  deadline: { default: none }\n",
    serviceConfig: {
      methodConfig: [
        {
          name: [{ service, method: "GetBook" }],
          timeout: "0.2s",
          retryPolicy: {
            maxAttempts: 2,
            initialBackoff: "0.001s",
            maxBackoff: "0.001s",
            backoffMultiplier: 1,
            retryableStatusCodes: ["UNAVAILABLE"],
          },
        },
      ],
      retryThrottling: { maxTokens: 3, tokenRatio: 0.001 },
    },
  });
  library.failures = 1;
  assert.equal((await getBook()).code, status.OK);
  assert.equal(library.seen.length, 2);
  library.failures = 2;
  assert.equal((await getBook()).code, status.UNAVAILABLE);
  assert.equal(library.seen.length, 3, "half of the tokens are gone");
  await write(", pending: { max: 100 }, tls: false");
  await hub.reload();
  library.failures = 1;
  assert.equal((await getBook()).code, status.UNAVAILABLE);
  assert.equal(library.seen.length, 4);
  const refused = { linchpin_upstream: "library", linchpin_reason: "throttling" };
  assert.equal(sampleValue(await metrics(), "linchpin_upstream_retries_refused_total", refused), 2);
  library.failures = 0;
  library.silent = true;
  assert.equal((await getBook()).code, status.DEADLINE_EXCEEDED);
});
