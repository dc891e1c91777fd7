// Every foreign client through the hub to every foreign server: the hub must not show.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENTS, check, SERVERS, startHub } from "./support/peers.js";

for (const [serverName, start] of Object.entries(SERVERS))
  test(`the hub in front of ${serverName}`, async (t) => {
    const server = await start();
    const hub = await startHub([`behavior=${server.address}`]).catch(async (error: unknown) => {
      await server.stop();
      throw error;
    });
    try {
      for (const client of Object.keys(CLIENTS))
        await t.test(`${client} calls`, async (t) => {
          for (const { name, error } of await check(client, hub.address))
            await t.test(name, () => assert.equal(error, undefined));
        });
    } finally {
      await hub.stop();
      await server.stop();
    }
  });
