// The foreign clients and servers agree with each other without the hub: what then fails through it, is the hub's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENTS, check, SERVERS } from "./support/peers.js";

/** What a server does not have, by its own choice. */
const LACKS: Readonly<Record<string, readonly string[]>> = {
  grpcio: ["grpc-go: reflection"], // its library serves v1alpha only, and the Go client asks for v1
};

/** Where the two of them race, and either outcome is right. */
const RACES: Readonly<Record<string, RegExp>> = {
  // At the deadline grpc-go resets the stream; grpcio calls that CANCELLED where its own timer is the later one.
  "grpcio calls grpc-go: deadline-passes": /CANCELLED \(Stream removed \(RST_STREAM/,
};

for (const [serverName, start] of Object.entries(SERVERS))
  for (const client of Object.keys(CLIENTS))
    test(`${client} calls ${serverName}`, async (t) => {
      const server = await start();
      try {
        for (const { name, error } of await check(client, server.address))
          await t.test(name, () => {
            if (LACKS[serverName]?.includes(`${client}: ${name}`)) assert.notEqual(error, undefined);
            else if (RACES[`${client} calls ${serverName}: ${name}`]?.test(error ?? "") !== true)
              assert.equal(error, undefined);
          });
      } finally {
        await server.stop();
      }
    });
