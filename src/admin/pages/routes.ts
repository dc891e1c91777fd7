// `/routes`: which HTTP and gRPC routes there are.
import type { Page } from "./page.js";

export const routesPage: Page = {
  path: "/routes",
  about: "the HTTP and gRPC routes",
  remote: false,
  answer: (hub) => ({ status: 200, body: undefined, routes: hub.routes() }),
};
