// The interceptors of a config in their order: those of the hub as its list has them, those of modules and of the
// program at their places.
import type { Interceptor } from "../call/interceptor.js";
import type { KindContext } from "../interceptors/kit/kind.js";
import { FEATURES, type Features } from "../settings/features.js";
import type { Config } from "../settings/sections.js";
import { placed } from "./own/modules.js";
import { type OwnInterceptor, ownInterceptors, placesOf } from "./own/own-interceptors.js";

/** Rejects with a UserError if an interceptor of the program is invalid, or a file that the config names is. */
export async function interceptorsOf(
  config: Config,
  own: readonly OwnInterceptor[],
  context: KindContext,
  { interceptors: kinds }: Features = FEATURES,
): Promise<Interceptor[]> {
  const hubs = placesOf(kinds);
  const { places } = hubs;
  const between = await ownInterceptors([...config.use.map(placed), ...own], hubs, context);
  return [
    ...places.flatMap((place, i) => [
      ...(between[i] ?? []),
      ...kinds
        .filter((kind) => kind.place === place)
        .flatMap((kind) => kind.make(Reflect.get(config, kind.key), config.methods, context) ?? []),
    ]),
    ...(between[places.length] ?? []),
  ];
}
