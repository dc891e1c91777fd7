// The access log as one of the hub's interceptors: `interceptors.accessLog`, and its destination.
import { dirname } from "node:path";
import { section } from "../../config/section.js";
import { AccessLogDestination } from "../../telemetry/log/access-log.js";
import type { InterceptorKind } from "../kit/kind.js";
import { accessLog } from "./access-log.js";

export interface AccessLogConfig {
  /** undefined: off. */
  readonly destination: "stdout" | "stderr" | { readonly file: string } | undefined;
  /** Share of successful calls, 0..1. */
  readonly sample: number;
}

const DEFAULTS: AccessLogConfig = { destination: undefined, sample: 1 };
const DESTINATION = "must be off, stdout, stderr or a file";

export const accessLogSection = section({
  defaults: DEFAULTS,
  schema: ({ z, share }) =>
    z
      .strictObject({
        destination: z
          .union([z.string(), z.literal(false)], { error: DESTINATION })
          .prefault("off")
          .meta({ examples: ["stdout", "access.log"] })
          .describe("off, stdout, stderr, or a file that is appended to; relative to this file.")
          .transform((value, ctx) => {
            if (value === false || value === "off") return undefined;
            if (value !== "") return value;
            ctx.issues.push({ code: "custom", message: DESTINATION, input: value });
            return z.NEVER;
          }),
        sample: share()
          .prefault(DEFAULTS.sample)
          .describe(
            "Share of the calls that ended well which get a line, from 0 to 1; failures always get one.",
          ),
      })
      .prefault({})
      .describe("The access log: a JSON line for each call."),
  read({ destination, sample }, at): AccessLogConfig {
    at.needs(["sample"], destination !== undefined, "accessLog.destination is off");
    if (destination === undefined || destination === "stdout" || destination === "stderr")
      return { destination, sample };
    const file = at.resolved(destination);
    const problem = at.checkPath(dirname(file), "directory");
    if (problem !== undefined) at.wrong(["destination"], problem);
    return { destination: { file }, sample };
  },
});

export const accessLogKind = {
  key: "accessLog",
  name: "access log",
  place: "access-log",
  section: accessLogSection,
  /** Throws a UserError when the log's file cannot be opened. */
  make({ destination, sample }, _methods, { retained, telemetry, clock }) {
    if (destination === undefined) return undefined;
    const name = typeof destination === "string" ? destination : destination.file;
    const log = retained.keep(
      "access log",
      destination,
      () => new AccessLogDestination(name, telemetry.accessLogContext()),
    );
    return accessLog({
      sample,
      wallClock: () => clock.wallTime(),
      write: (level, record) => log.write(level, record),
    });
  },
} as const satisfies InterceptorKind<AccessLogConfig>;
