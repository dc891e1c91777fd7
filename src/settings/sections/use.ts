// The config's `use:`, modules with a user's own interceptors.
import type { ModuleUse } from "../../config/module-use.js";
import { section } from "../../config/section.js";

const MAX_MODULES = 50;

/** @param places of the hub's own interceptors */
export function useSection(places: readonly string[]) {
  const place = `must be one of ${places.join(", ")}`;
  return section({
    defaults: { use: [] as readonly ModuleUse[] },
    // A module's options are its own affair: any of them may be a secret.
    secrets: ["*.options"],
    schema: ({ z, path }) =>
      z
        .array(
          z
            .strictObject({
              module: path()
                .describe(
                  "File of an ES module, relative to this file. It exports by default a function (options, context) that returns the interceptor. Its code is loaded once: a change of it takes effect when the hub is started again.",
                )
                .meta({ examples: ["./tenants.js"] }),
              before: z
                .enum(places, { error: place })
                .optional()
                .describe("It runs before this interceptor of the hub. Not together with after."),
              after: z
                .enum(places, { error: place })
                .optional()
                .describe("It runs after this interceptor of the hub. Left out, as before: auth.")
                .meta({ default: "auth" }),
              options: z
                .record(z.string(), z.unknown(), { error: "must be a mapping" })
                .prefault({})
                .describe("Handed to the module as they stand. A reload makes the interceptor anew by them."),
            })
            .refine(({ before, after }) => before === undefined || after === undefined, {
              error: "stands beside before: an interceptor runs either before or after a place",
              path: ["after"],
            }),
        )
        .max(MAX_MODULES, { error: `must have at most ${MAX_MODULES} modules` })
        .prefault([])
        .describe(
          "Modules with interceptors of one's own, in the order in which they run at their place. docs/interceptors.md tells how to write one.",
        )
        .meta({ examples: [[{ module: "./tenants.js", after: "auth", options: { header: "x-tenant" } }]] }),
    read: (modules, at) => ({
      use: modules.map(
        ({ module, before, after, options }, i): ModuleUse => ({
          name: module,
          file: at.existing([i, "module"], module, "file"),
          before,
          after,
          options,
          at: at.position([i, "module"]),
        }),
      ),
    }),
  });
}
