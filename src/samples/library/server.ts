// A library server: library.v1 and library.v2 over one store.
import { LibraryServiceService as V1 } from "#generated/library/v1/library.js";
import { LibraryServiceService as V2 } from "#generated/library/v2/library.js";
import { type RunningSample, type ServeOptions, serve } from "../common/serve.js";
import { Store } from "./store.js";
import { libraryV1 } from "./v1.js";
import { libraryV2 } from "./v2.js";

export interface LibraryOptions extends ServeOptions {
  /** Instances that are given the same store show the same books. Default: a store of its own. */
  readonly store?: Store;
}

/** Starts a library; `instance` is `library-1` unless given. Rejects when it cannot listen. */
export function startLibrary(options: LibraryOptions = {}): Promise<RunningSample> {
  const store = options.store ?? new Store();
  return serve(
    [
      { name: "library.v1.LibraryService", definition: V1, implementation: libraryV1(store) },
      { name: "library.v2.LibraryService", definition: V2, implementation: libraryV2(store) },
    ],
    { instance: "library-1", ...options },
  );
}
