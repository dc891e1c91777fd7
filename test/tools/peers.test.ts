// The foreign clients and servers agree with each other without the hub: what then fails through it, is the hub's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENTS, check, SERVERS } from "./support/peers.js";

/** What a server does not have, by its own choice. */
const LACKS: Readonly<Record<string, readonly string[]>> = {
  grpcio: ["grpc-go: reflection"], // its library serves v1alpha only, and the Go client asks for v1
};

for (const [serverName, start] of Object.entries(SERVERS))
  for (const client of Object.keys(CLIENTS))
    test(`${client} calls ${serverName}`, async (t) => {
      const server = await start();
      try {
        for (const { name, error } of await check(client, server.address))
          await t.test(name, () => {
            if (LACKS[serverName]?.includes(`${client}: ${name}`)) assert.notEqual(error, undefined);
            else assert.equal(error, undefined);
          });
      } finally {
        await server.stop();
      }
    });
