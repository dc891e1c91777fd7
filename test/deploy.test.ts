// What lies in deploy/: the manifests have a config that the hub takes, and times that fit together.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { parseConfig } from "#src/settings/load.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const read = (name: string): string => readFileSync(join(ROOT, name), "utf8");

/** What the manifests are read for; whatever is missing fails the test that reads it. */
interface Manifest {
  readonly kind: string;
  readonly data: Readonly<Record<string, string>>;
  readonly spec: { readonly template: { readonly spec: Pod } };
}
interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly Container[];
}
type Probe = { readonly httpGet: { readonly path: string; readonly port: string } };
interface Container {
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

function manifest(kind: string): Manifest {
  const documents = parseAllDocuments(read("deploy/kubernetes.yaml"));
  for (const document of documents) {
    assert.deepEqual(document.errors, []);
    const value: Manifest = document.toJS();
    if (value.kind === kind) return value;
  }
  return assert.fail(`no ${kind}`);
}

test("the config of the manifests is a right one, and listens where probes and the service ask", () => {
  const result = parseConfig(Buffer.from(manifest("ConfigMap").data["linchpin.yaml"] ?? ""), {
    file: "linchpin.yaml",
    directory: "/etc/linchpin",
    env: {},
    checkPath: () => undefined,
  });
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(result.warnings, []);
  const { listen, admin, drain } = result.config;
  const { terminationGracePeriodSeconds, containers } = manifest("Deployment").spec.template.spec;
  const [container] = containers;
  assert.deepEqual(
    container?.ports.map(({ containerPort }) => containerPort),
    [...listen.map(({ address }) => Reflect.get(address, "port")), admin?.port],
  );
  assert.deepEqual(container?.livenessProbe.httpGet, { path: "/livez", port: "admin" });
  assert.deepEqual(container?.readinessProbe.httpGet, { path: "/readyz", port: "admin" });
  assert.ok(drain.delayMs > 0 && drain.graceMs < terminationGracePeriodSeconds * 1000);
});

test("the unit gives a drain its time, and the image and the unit start what is there", () => {
  const unit = read("deploy/linchpin.service");
  const [, stop = "0"] = /^TimeoutStopSec=(\d+)s$/m.exec(unit) ?? [];
  assert.ok(Number(stop) > 25, "drain.grace is 25 s by default");
  assert.match(unit, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
  for (const [, path = ""] of read("Dockerfile").matchAll(/"\/opt\/linchpin\/([^"]+)"/g))
    assert.ok(read(path).length > 0, path);
});
