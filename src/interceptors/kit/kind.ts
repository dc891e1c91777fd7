// What an interceptor of the hub brings: its keys in the config, its reasons to refuse, and how it is made. order.ts lists them.

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
  /** What it is called in messages and lists. */
  readonly name: string;
  /** Programs put interceptors of their own before or after it by this. Neighbours in the list may share one. */
  readonly place: string;
  readonly section?: Section<z.ZodType, C>;
  /** Its keys under `methods`. */
  readonly methodKeys?: FeatureKeys<z.ZodRawShape, M>;
  /** Reasons to refuse that it brings, beside those of the hub's catalogue: the `table` of ownReasons. */
  readonly reasons?: Readonly<Record<string, ReasonRow>>;
  /** undefined: by this config there is none. Throws a UserError where a file that the config names is wrong. */
  make(config: C, methods: readonly Selected<M>[], context: KindContext): Interceptor | undefined;
}

/** Settings of single methods, as `methods` has them. */
export type Selected<M extends object> = { readonly selector: string } & M;

/** What interceptors of the hub are made with: what those of programs get, and what the hub alone has. */
export interface KindContext extends InterceptorContext {
  readonly telemetry: Telemetry;
  readonly env: Environment;
  /** What services get of a client's fields beside their own names. */
  readonly metadataNames: Pick<MetadataNames, "standardPrefix">;
}
