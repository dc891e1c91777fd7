// A hub for tests of the admin listener: what is not given is as in one that serves nothing.
import type { AdminHub } from "#src/admin/pages/page.js";
import type { UpstreamRow } from "#src/view/hub-view.js";

export function adminHub(given: Partial<AdminHub>): AdminHub {
  return {
    ready: true,
    notReady: [],
    interceptors: [],
    written: {},
    secrets: [],
    lastReload: { succeeded: true, at: 0 },
    waitingBytes: 0,
    replayBytes: 0,
    listeners: () => [],
    routes: () => [],
    upstreams: () => [],
    certificates: () => [],
    metrics: () => ({ contentType: "text/plain; version=0.0.4; charset=utf-8", pieces: [] }),
    reload: () => Promise.resolve([]),
    ...given,
  };
}

export function upstreamRow(given: Partial<UpstreamRow> & Pick<UpstreamRow, "name">): UpstreamRow {
  return {
    endpoints: [],
    pending: 0,
    schema: "reflection",
    services: [],
    takesOthers: false,
    remembered: undefined,
    problem: undefined,
    ...given,
  };
}
