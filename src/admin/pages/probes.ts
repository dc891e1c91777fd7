// `/livez` and `/readyz`, for probes of Kubernetes and load balancers.
import type { Page } from "./page.js";

export const livezPage: Page = {
  path: "/livez",
  about: "200 while the process lives",
  remote: true,
  respond: () => ({ status: 200, body: { live: true } }),
};

export const readyzPage: Page = {
  path: "/readyz",
  about: "200 while the hub is ready, 503 while it still learns its upstreams and while it drains",
  remote: true,
  // An upstream that goes down does not make the hub unready: its other upstreams would become unreachable too.
  respond: (hub, { trusted }) => {
    const problems = (trusted ? hub.upstreams() : []).flatMap(({ name, problem }) =>
      problem === undefined ? [] : [{ upstream: name, problem }],
    );
    const { ready, notReady } = hub;
    return {
      status: ready ? 200 : 503,
      body: { ready, ...(ready ? {} : { notReady }), ...(problems.length === 0 ? {} : { problems }) },
      text: () =>
        [
          ready ? "ready" : `not ready: ${notReady.join(", ")}`,
          ...problems.map(({ upstream, problem }) => `${upstream}: ${problem}`),
        ].join("\n"),
    };
  },
};
