// `/routes`: which HTTP and gRPC routes there are.
import { textTablePieces } from "../../kit/text-table.js";
import { routeCells } from "../../view/hub-view.js";
import type { Page } from "./page.js";

export const routesPage: Page = {
  path: "/routes",
  about: "the HTTP and gRPC routes",
  remote: false,
  respond: (hub) => {
    const routes = hub.routes();
    return {
      status: 200,
      body: { routes },
      text: () => textTablePieces(routes.map(routeCells)),
    };
  },
};
