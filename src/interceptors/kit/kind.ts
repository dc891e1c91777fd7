// The interface of a built-in interceptor: its config keys, its error reasons, and its factory. order.ts lists them.

import type { z } from "zod";
import type { MetadataNames } from "../../call/http-policy.js";
import type { Interceptor, InterceptorContext } from "../../call/interceptor.js";
import type { ReasonRow } from "../../call/status/reasons.js";
import type { FeatureKeys, Section } from "../../config/section.js";
import type { Environment } from "../../kit/runtime.js";
import type { Telemetry } from "../../telemetry/telemetry.js";

/**
 * @typeParam C its config, out of `interceptors.KEY`
 * @typeParam M its settings of single methods, out of `methods`
 */
export interface InterceptorKind<C = unknown, M extends object = object> {
  /** Its key under `interceptors`, and in the Config. Several kinds may share one: then one of them has the section. */
  readonly key: string;
  /** Its name in messages and lists. */
  readonly name: string;
  /**
   * The place by which programs insert their own interceptors before or after it. Neighbours in the list may share one.
   */
  readonly place: string;
  readonly section?: Section<z.ZodType, C>;
  /** Its keys under `methods`. */
  readonly methodKeys?: FeatureKeys<z.ZodRawShape, M>;
  /** Its error reasons, in addition to the hub's catalogue: the `table` of ownReasons. */
  readonly reasons?: Readonly<Record<string, ReasonRow>>;
  /**
   * Called for each generation of the config; state that must outlive a reload goes to `context.retained`. undefined:
   * off by this config. Throws a UserError if a file that the config names is invalid: the start or the reload then
   * fails.
   */
  make(config: C, methods: readonly Selected<M>[], context: KindContext): Interceptor | undefined;
}

/** Settings of single methods, as `methods` has them. */
export type Selected<M extends object> = { readonly selector: string } & M;

/** The context of built-in interceptors: that of programs, and what only the hub has. */
export interface KindContext extends InterceptorContext {
  readonly telemetry: Telemetry;
  readonly env: Environment;
  /** Under which other names services get a client's fields. */
  readonly metadataNames: Pick<MetadataNames, "standardPrefix">;
}
