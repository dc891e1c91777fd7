// `/`: which pages there are.
import { textTable } from "../../kit/text-table.js";
import type { Page } from "./page.js";

export const indexPage: Page = {
  path: "/",
  about: "this index",
  remote: false,
  respond: (_, { pages }) => ({
    status: 200,
    body: index(pages),
    text: () => textTable(pages.map(({ path, about }) => [path, about])).join("\n"),
  }),
};

export function index(pages: readonly Page[]): { pages: Record<string, string> } {
  return { pages: Object.fromEntries(pages.map(({ path, about }) => [path, about])) };
}
