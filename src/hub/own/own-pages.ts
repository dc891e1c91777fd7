// Pages of the admin listener that a program adds: checked when the hub starts, and each response when it is made.
import type { Page, PageResponse } from "../../admin/pages/page.js";
import { PAGES } from "../../admin/pages/pages.js";
import { kindOf } from "../../kit/text/kind-of.js";
import { didYouMean } from "../../kit/text/nearest.js";
import { UserError } from "../../kit/text/user-error.js";
import type { AdminPage, AdminResponse, Hub } from "./program-hub.js";

const KEYS = ["path", "about", "method", "respond"];
const PATH = /^(?:\/[A-Za-z0-9._~-]+)+$/;
const MAX_PATH = 200;

/** Throws a UserError that says which page is wrong, and how. */
export function ownPages(pages: readonly AdminPage[], hub: Hub): readonly Page[] {
  const paths = new Set(PAGES.map(({ path }) => path));
  return pages.map((page, i) => {
    check(page, `pages[${i}]`);
    if (paths.has(page.path)) throw new UserError(`pages[${i}].path: another page has the path ${page.path}`);
    paths.add(page.path);
    const { path, about, method } = page;
    return {
      path,
      about,
      remote: false,
      ...(method === undefined ? {} : { method }),
      respond: async () => responseOf(await page.respond(hub), path),
    };
  });
}

function check(page: AdminPage, where: string): void {
  const given: unknown = page;
  if (typeof given !== "object" || given === null)
    throw new UserError(`${where} must be an object with path, about and respond(hub), not ${kindOf(given)}`);
  for (const key of Object.keys(given))
    if (!KEYS.includes(key)) throw new UserError(`${where}.${key}: unknown key${didYouMean(key, KEYS)}`);
  const { path, about, method, respond }: { readonly [K in keyof AdminPage]: unknown } = page;
  if (typeof path !== "string" || path.length > MAX_PATH || !PATH.test(path))
    throw new UserError(`${where}.path must be a path such as /tenants`);
  if (typeof about !== "string") throw new UserError(`${where}.about must be a text, not ${kindOf(about)}`);
  if (method !== undefined && method !== "POST")
    throw new UserError(`${where}.method must be POST; left out, the page takes GET and HEAD`);
  if (typeof respond !== "function")
    throw new UserError(
      `${where}.respond must be a function (hub) that returns { body }, not ${kindOf(respond)}`,
    );
}

function responseOf(given: AdminResponse, path: string): PageResponse {
  const response: unknown = given;
  if (typeof response !== "object" || response === null || !("body" in response))
    throw new TypeError(`respond of the admin page ${path} must return { body }, not ${kindOf(response)}`);
  const { status = 200, body, text } = given;
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new TypeError(`respond of the admin page ${path} must return a status from 200 to 599`);
  return { status, body, ...(text === undefined ? {} : { text }) };
}
