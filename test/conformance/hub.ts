// The hub as conformance is tested on it: one process, with a port in clear text and one with TLS.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/certificate.js";
import { until } from "../support/until.js";
import { ROOT, startServer } from "../tools/support/programs.js";

export interface ConformanceHub {
  /** HOST:PORT of each port. */
  readonly clear: string;
  readonly tls: string;
  /** PEM file of who signed its certificate, which is for localhost and 127.0.0.1. */
  readonly ca: string;
  stop(): Promise<void>;
}

const PATIENCE_MS = 20_000;

/** Starts the hub in front of one upstream; `protoset` is a path, for one without reflection. */
export async function startConformanceHub(upstream: string, protoset?: string): Promise<ConformanceHub> {
  const dir = mkdtempSync(join(tmpdir(), "linchpin-conformance-"));
  const ca = join(dir, "server.crt");
  writeFileSync(ca, TEST_CERTIFICATE);
  writeFileSync(join(dir, "server.key"), TEST_KEY);
  const config = {
    listen: ["127.0.0.1:0", { address: "127.0.0.1:0", tls: { cert: "server.crt", key: "server.key" } }],
    admin: "off",
    upstreams: {
      tested: { endpoints: [upstream], ...(protoset === undefined ? {} : { schema: { protoset } }) },
    },
  };
  const file = join(dir, "linchpin.yaml"); // JSON is YAML
  writeFileSync(file, JSON.stringify(config));
  const clean = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    const args = [join(ROOT, "dist/main.js"), "serve", "--config", file];
    const server = await startServer(process.execPath, args);
    const tls = (): string | undefined => /listening on https:\/\/(\S+)/.exec(server.output())?.[1];
    await until(() => tls() !== undefined, "the port with TLS", PATIENCE_MS);
    const stop = (): Promise<void> => server.stop().finally(clean);
    return { clear: server.address, tls: tls() ?? "", ca, stop };
  } catch (error) {
    clean();
    throw error;
  }
}
