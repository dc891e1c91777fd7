// What the benchmark and the end-to-end tests call: bench.v1.EchoService and test.v1.BehaviorService.
import { EchoServiceService } from "#generated/bench/v1/echo.js";
import { BehaviorServiceService } from "#generated/test/v1/behavior.js";
import { type RunningSample, type ServeOptions, serve } from "../common/serve.js";
import { behavior } from "./behavior.js";
import { echo } from "./echo.js";

/** Starts both services on one server. Without an `instance` it adds no header. Rejects when it cannot listen. */
export function startEcho(options: ServeOptions = {}): Promise<RunningSample> {
  return serve(
    [
      { name: "bench.v1.EchoService", definition: EchoServiceService, implementation: echo },
      {
        name: "test.v1.BehaviorService",
        definition: BehaviorServiceService,
        implementation: behavior(options.instance ?? ""),
      },
    ],
    { image: "image.binpb", ...options },
  );
}
