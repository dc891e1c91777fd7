// A program with a hub in it: one call, then `close` or `drain`, and then nothing is left to do.
import { readFileSync } from "node:fs";
import { BehaviorServiceService } from "#generated/test/v1/behavior.js";
import { createHub } from "#src/index.js";
import { behavior } from "#src/samples/echo/behavior.js";
import { http } from "../e2e/support/http.js";

const hub = await createHub({
  listen: "127.0.0.1:0",
  admin: "127.0.0.1:0",
  // One that is down: it is tried again and again, until the hub is closed.
  upstreams: { down: { endpoints: ["127.0.0.1:1"] } },
  services: [
    {
      definition: BehaviorServiceService,
      implementation: behavior("embedded"),
      descriptors: readFileSync(new URL("../../../generated/image.binpb", import.meta.url)),
    },
  ],
  log: false,
});
const { status } = await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
console.log(status);
if (process.argv[2] === "drain") await hub.drain(1000);
else await hub.close();
console.log("closed");
