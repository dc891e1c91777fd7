// A source of endpoints that a test adds to the hub's list: one file.
import { UserError } from "#src/kit/text/user-error.js";
import type { EndpointWatcher, SourceFactory } from "#src/upstream/discovery/endpoint-source.js";

/** `memory:NAME`: what the test tells its watcher. */
export class Memory {
  readonly targets: string[] = [];
  watcher: EndpointWatcher | undefined = undefined;
  /** How often it was asked to look for a newer list. */
  refreshes = 0;

  readonly source: SourceFactory = (target) => {
    if (target === "") throw new UserError("memory: names nothing");
    this.targets.push(target);
    return {
      watch: (watcher) => {
        this.watcher = watcher;
        return {
          close: () => {
            if (this.watcher === watcher) this.watcher = undefined;
          },
          refresh: () => {
            this.refreshes++;
          },
        };
      },
    };
  };
}
