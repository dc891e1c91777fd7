// test.v1.BehaviorService on @grpc/grpc-js in a process of its own, as the servers in Go and Python are.
import { startEcho } from "#src/samples/echo/server.js";

const server = await startEcho({ instance: "grpc-js" });
console.log(`listening on ${server.address}`);
