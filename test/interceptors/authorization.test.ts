// May this caller call this method? The rule that holds for a method, and what those are told who may not.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, describe, test } from "node:test";
import { AccessRules } from "#src/interceptors/auth/access-rules.js";
import { auth } from "#src/interceptors/auth/auth.js";
import type { AuthConfig } from "#src/interceptors/auth/section.js";
import type { MethodConfig } from "#src/settings/sections.js";
import { callOf, methodOf } from "../support/sinks.js";
import { Front, NO_PREFIX, PROTOCOLS } from "./support/front.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex");

const CONFIG: AuthConfig = {
  required: true,
  apiKeys: {
    header: "x-api-key",
    keys: [
      { name: "reader", sha256: sha256("reader"), roles: ["reader", "other"] },
      { name: "nobody", sha256: sha256("nobody"), roles: [] },
    ],
    file: undefined,
  },
  jwt: [],
  mtls: undefined,
  forward: { identity: undefined, roles: undefined, authorization: true },
};

type Rules = Readonly<Record<string, Pick<Partial<MethodConfig>, "auth" | "roles">>>;

function methodsOf(rules: Rules): MethodConfig[] {
  return Object.entries(rules).map(([selector, { auth, roles }]) => ({
    selector,
    deadlineMs: undefined,
    idempotent: undefined,
    auth,
    roles,
    quota: undefined,
  }));
}

for (const protocol of PROTOCOLS)
  describe(`roles (${protocol})`, () => {
    async function ask(
      key: string | undefined,
      rules: Rules,
      required = true,
    ): Promise<{ code: number; http: number; message: string; reason: string | undefined }> {
      const front = await new Front().start();
      cleanups.push(() => front.close());
      front.use((context) => auth({ ...CONFIG, required }, methodsOf(rules), context, NO_PREFIX));
      return front.ask(protocol, key === undefined ? [] : [["x-api-key", key]]);
    }
    const READERS = { "test.v1.Test": { roles: ["admin", "reader"] } };

    test("one of the roles is enough", async () => {
      assert.equal((await ask("reader", READERS)).code, 0);
    });

    test("none of them: 403 that names method and roles", async () => {
      const seen = await ask("nobody", READERS);
      assert.equal(seen.code, 7);
      assert.equal(
        seen.message,
        "test.v1.Test/unary needs one of the roles admin, reader, and nobody has none of them",
      );
      if (protocol === "grpc") assert.equal(seen.reason, "MISSING_ROLE");
      else assert.equal(seen.http, 403);
    });

    test("an anonymous caller: 401, without naming roles, also if auth is optional", async () => {
      for (const required of [true, false]) {
        const seen = await ask(undefined, READERS, required);
        assert.equal(seen.code, 16);
        assert.doesNotMatch(seen.message, /admin|reader/);
      }
    });

    test("the roles of the method take the place of the service's", async () => {
      const rules = { ...READERS, "test.v1.Test/unary": { roles: ["boss"] } };
      const seen = await ask("reader", rules);
      assert.equal(seen.code, 7);
      assert.match(seen.message, /needs the role boss/);
    });

    test("auth: none on the method lifts the roles of the service", async () => {
      assert.equal((await ask(undefined, { ...READERS, "test.v1.Test/unary": { auth: "none" } })).code, 0);
    });

    test("roles on the method lift the service's auth: none", async () => {
      const rules = {
        "test.v1.Test": { auth: "none" },
        "test.v1.Test/unary": { roles: ["reader"] },
      } as const;
      assert.equal((await ask(undefined, rules)).code, 16);
      assert.equal((await ask("nobody", rules)).code, 7);
      assert.equal((await ask("reader", rules)).code, 0);
    });

    test("a method may ask for less or more than the rest", async () => {
      assert.equal((await ask(undefined, { "test.v1.Test/unary": { auth: "optional" } })).code, 0);
      assert.equal((await ask(undefined, { "test.v1.Test/unary": { auth: "required" } }, false)).code, 16);
      assert.equal((await ask(undefined, { "test.v1.Other/unary": { auth: "none" } })).code, 16);
    });
  });

describe("the rule of a method", () => {
  /** As the hub plans a method that no schema knows: by its service, and the path of each call. */
  const unknown = (rules: Rules, path: string, required = true): string => {
    const service = path.slice(1, path.indexOf("/", 1));
    const accessRules = new AccessRules(methodsOf(rules), required);
    const { auth, roles } = accessRules.forMethod(methodOf(`/${service}/_OTHER`))(callOf({ path }));
    return [auth, ...(roles ?? [])].join(" ");
  };

  test("holds before the hub has learned of the method, and for other spellings of its name", () => {
    const rules: Rules = {
      "a.B/Drop": { roles: ["admin"] },
      "a.B/Open": { auth: "none" },
      "a.B": { roles: ["any"] },
    };
    assert.equal(unknown(rules, "/a.B/Drop"), "required admin");
    assert.equal(unknown(rules, "/a.B/drop"), "required admin");
    assert.equal(unknown(rules, "/a.B/DROP"), "required admin");
    assert.equal(unknown(rules, "/a.B/Open"), "none");
    assert.equal(unknown(rules, "/a.B/Else"), "required any");
    assert.equal(unknown(rules, "/c.D/Drop"), "required");
    assert.equal(unknown(rules, "/c.D/Drop", false), "optional");
  });

  for (const [rules, expected] of [
    [{ "a.*": { roles: ["x"] } }, "required x"],
    [{ "a.b.*": { auth: "optional" }, "a.*": { roles: ["x"] } }, "optional x"],
    [{ "a.b.*": { auth: "none" }, "a.*": { roles: ["x"] } }, "none"],
    [{ "a.b.C": { roles: ["y"] }, "a.b.*": { auth: "none" }, "a.*": { auth: "optional" } }, "optional y"],
    [{ "a.b.C/D": { auth: "none" }, "a.*": { roles: ["x"] } }, "none"],
    [{ "a.b.C.*": { roles: ["x"] }, "a.bb.*": { roles: ["x"] }, "b.*": { roles: ["x"] } }, "required"],
  ] as const)
    test(`packages: ${JSON.stringify(rules)} makes a.b.C/D ${expected}`, () => {
      assert.equal(unknown(rules, "/a.b.C/D"), expected);
    });

  for (const [rules, check, watch] of [
    [{}, "none", "required"],
    [{ "other.Service": { roles: ["x"] } }, "none", "required"],
    [{ "grpc.health.v1.Health": { auth: "required" } }, "required", "required"],
    [{ "grpc.health.v1.Health": { roles: ["probe"] } }, "required probe", "required probe"],
    [{ "grpc.health.v1.Health/Check": { roles: ["probe"] } }, "required probe", "required"],
    [{ "grpc.health.v1.Health/Watch": { auth: "none" } }, "none", "none"],
  ] as const)
    test(`health under ${JSON.stringify(rules)}: Check ${check}, Watch ${watch}`, () => {
      assert.equal(unknown(rules, "/grpc.health.v1.Health/Check"), check);
      assert.equal(unknown(rules, "/grpc.health.v1.Health/Watch"), watch);
    });
});
