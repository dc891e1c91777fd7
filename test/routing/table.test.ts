import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Interceptor } from "#src/call/interceptor.js";
import { run } from "#src/call/pipeline.js";
import { RunningCalls } from "#src/call/running-calls.js";
import { type Handler, refuse } from "#src/call/sink.js";
import { Code, Status } from "#src/call/status/status.js";
import { TimerWheel } from "#src/kit/timer-wheel.js";
import { RouteTable, type ServiceRoute } from "#src/routing/table.js";
import { FakeClock } from "../support/fake-clock.js";
import { callOf, methodOf, RecordingSink } from "../support/sinks.js";

function route(service: string, upstream: string, ...methods: string[]): ServiceRoute {
  // Each handler answers with the name of its upstream.
  const handler: Handler = refuse(() => new Status(Code.ABORTED, upstream));
  return { service, upstream, handler, methods: methods.map((m) => methodOf(`/${service}/${m}`)) };
}

function table(routes: ServiceRoute[], problem?: string, interceptors: Interceptor[] = []): RouteTable {
  return new RouteTable(routes, interceptors, { problem }, () => {});
}

/** How a call to this path is answered. */
function answer(routes: RouteTable, path: string): Status {
  const response = new RecordingSink();
  const call = callOf({ path });
  run(routes.find(path), call, response, new TimerWheel(new FakeClock()), new RunningCalls());
  return response.aborted?.status ?? assert.fail("not answered");
}

describe("the route of a gRPC path", () => {
  const routes = table([
    route("library.v1.LibraryService", "library", "GetBook", "ListBooks"),
    route("library.v2.LibraryService", "library-v2", "GetBook"),
    route("NoPackage", "plain", "Call", "call"),
  ]);

  const known: [path: string, upstream: string, method: string][] = [
    ["/library.v1.LibraryService/GetBook", "library", "GetBook"],
    ["/library.v1.LibraryService/ListBooks", "library", "ListBooks"],
    ["/library.v2.LibraryService/GetBook", "library-v2", "GetBook"],
    ["/NoPackage/Call", "plain", "Call"],
    // A newer instance may have methods that the schema does not.
    ["/library.v1.LibraryService/BrandNew", "library", "_OTHER"],
    ["/library.v2.LibraryService/_x9", "library-v2", "_OTHER"],
    // Servers on ASP.NET Core take every spelling: quotas, deadlines and roles of the method are to hold.
    ["/library.v1.LibraryService/getbook", "library", "GetBook"],
    ["/library.v1.LibraryService/GETBOOK", "library", "GetBook"],
    // Of two that differ in case alone, each has its own, and what is neither has the first one's.
    ["/NoPackage/call", "plain", "call"],
    ["/NoPackage/CALL", "plain", "Call"],
  ];
  for (const [path, upstream, method] of known) {
    it(`${path} goes to ${upstream} by the plan of ${method}`, () => {
      assert.equal(answer(routes, path).message, upstream);
      assert.equal(routes.find(path).method.name, method);
    });
  }

  const unknown: [path: string, says: RegExp][] = [
    ["/library.v3.LibraryService/GetBook", /service library\.v3\.LibraryService is not known here/],
    ["/library.v1.Library/GetBook", /service library\.v1\.Library is not known/],
    ["/", /not a gRPC path/],
    ["*", /not a gRPC path/],
    ["", /not a gRPC path/],
    ["/library.v1.LibraryService", /not a gRPC path/],
    ["/library.v1.LibraryService/", /not a gRPC path/],
    ["//GetBook", /not a gRPC path/],
  ];
  for (const [path, says] of unknown) {
    it(`${JSON.stringify(path)} is UNIMPLEMENTED, and says why`, () => {
      const status = answer(routes, path);
      assert.equal(status.code, Code.UNIMPLEMENTED);
      assert.match(status.message, says);
    });
  }

  // Config for GetBook (roles, quotas) hangs on its exact path.
  for (const path of [
    "library.v1.LibraryService/GetBook",
    "/library.v1.LibraryService/GetBook/",
    "/library.v1.LibraryService/GetBook?x",
    "/library.v1.LibraryService/GetBook#x",
    "/library.v1.LibraryService//GetBook",
    "/library.v1.LibraryService/./GetBook",
    "/library.v1.LibraryService/Get%42ook",
    "/library.v1.LibraryService/GetBook%00",
    "/library.v1.LibraryService/GetBook\n",
    "//library.v1.LibraryService/GetBook",
  ]) {
    it(`${JSON.stringify(path)} does not get round what is configured for GetBook`, () => {
      assert.equal(answer(routes, path).code, Code.UNIMPLEMENTED);
    });
  }

  it("is UNAVAILABLE while an upstream that might have the service is not known", () => {
    const status = answer(table([], 'upstream "library" has not been learned yet'), "/a.B/C");
    assert.equal(status.code, Code.UNAVAILABLE);
    assert.equal(status.message, "service a.B is not known (yet)");
    assert.match(status.withHint().message, /service a\.B is not known \(yet\): upstream "library"/);
  });

  it("keeps messages short, whatever the path", () => {
    assert.ok(answer(routes, `/${"a".repeat(50_000)}/B`).message.length < 300);
    assert.ok(answer(routes, `/${"/".repeat(50_000)}`).message.length < 300);
  });

  it("for a service of two upstreams is the first's, and the second is reported", () => {
    const shadowed: string[] = [];
    const both = new RouteTable(
      [route("a.B", "first", "C"), route("a.B", "second", "C", "D")],
      [],
      { problem: undefined },
      (lost, winner) => shadowed.push(`${lost.service} of ${lost.upstream}, not ${winner}`),
    );
    assert.equal(answer(both, "/a.B/C").message, "first");
    assert.equal(both.find("/a.B/D").method.name, "_OTHER");
    assert.deepEqual(shadowed, ["a.B of second, not first"]);
  });

  it("plans each interceptor once per method, for unknown ones too, and never during a call", () => {
    const planned: string[] = [];
    const watching: Interceptor = {
      name: "watching",
      plan: (method) => {
        planned.push(method.path);
        return undefined;
      },
    };
    const watched = table([route("a.B", "x", "C", "D")], undefined, [watching]);
    assert.deepEqual(planned.sort(), ["//_OTHER", "/a.B/C", "/a.B/D", "/a.B/_OTHER"]);
    answer(watched, "/a.B/C");
    answer(watched, "/a.B/E");
    answer(watched, "/x.Y/Z");
    assert.equal(planned.length, 4);
  });

  describe("if an upstream takes all services that no other has", () => {
    const others = (problem?: string) =>
      new RouteTable(
        [
          { ...route("a.B", "own", "C"), named: [methodOf("/a.B/Named")] },
          { ...route("x.Y", "others"), named: [methodOf("/x.Y/Z")] },
        ],
        [],
        {
          problem,
          taker: {
            handler: refuse(() => new Status(Code.ABORTED, "others")),
            packages: ["a", "a.b", "X.v1"],
          },
        },
        () => {},
      );
    const taking = others();
    for (const [path, upstream, plan] of [
      ["/a.B/C", "own", "/a.B/C"],
      ["/a.B/Named", "own", "/a.B/Named"],
      ["/a.B/named", "own", "/a.B/Named"],
      ["/a.B/D", "own", "/a.B/_OTHER"],
      ["/x.Y/Z", "others", "/x.Y/Z"],
      ["/x.Y/W", "others", "/x.Y/_OTHER"],
      ["/q.R/S", "others", "/*/_OTHER"],
      ["/Q/S", "others", "/*/_OTHER"],
      ["/a.C/D", "others", "/a.*/_OTHER"],
      ["/a.b.c.D/E", "others", "/a.b.*/_OTHER"],
      ["/A.b.c.D/E", "others", "/a.b.*/_OTHER"],
      ["/ab.C/D", "others", "/*/_OTHER"],
      ["/x.v1.C/D", "others", "/X.v1.*/_OTHER"],
    ] as const)
      it(`${path} goes to ${upstream} by the plan of ${plan}`, () => {
        assert.equal(answer(taking, path).message, upstream);
        assert.equal(taking.find(path).method.path, plan);
      });

    for (const path of [
      "/A.B/C",
      "/a.b/c",
      "/X.Y/Z",
      "/grpc.health.v1.Health/Check",
      "/GRPC.reflection.v1.ServerReflection/ServerReflectionInfo",
      "/grpc.channelz.v1.Channelz/GetServers",
      "/linchpin.Pages/Docs",
      "/q.R",
      "/q.R/",
      "/q.R/S/T",
      "/q.R/S?x",
      "/q.R/%53",
      "//S",
      "",
    ])
      it(`${JSON.stringify(path)} is rejected`, () => {
        assert.equal(answer(taking, path).code, Code.UNIMPLEMENTED);
      });

    it("but not while an upstream that may have it is not known", () => {
      const waiting = others('upstream "late": it is down');
      assert.equal(answer(waiting, "/q.R/S").code, Code.UNAVAILABLE);
      assert.equal(answer(waiting, "/x.Y/Z").message, "others");
    });

    it("costs no more than its length, whatever the name", () => {
      for (const name of ["a.".repeat(500_000), `${"a".repeat(500_000)}.B`, ".".repeat(500_000)]) {
        const before = process.cpuUsage();
        taking.find(`/${name}/B`);
        const { user, system } = process.cpuUsage(before);
        assert.ok(user + system < 1_000_000, `${user + system} µs`);
      }
    });
  });

  it("exists for every string", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((s) => `/library.v1.LibraryService/${s}`),
        ),
        (path) => {
          const plan = routes.find(path);
          const allowed = /^\/[\w.]+\/\w+$/.test(path);
          assert.ok(allowed || answer(routes, path).code === Code.UNIMPLEMENTED);
          assert.ok(plan.handler);
        },
      ),
    );
  });
});
