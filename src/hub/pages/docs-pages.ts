// `/docs`: the API page, Swagger UI from its npm package. Everything is loaded from the hub, and its Content Security
// Policy forbids anything else.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, posix } from "node:path";
import { lateLoad } from "../../kit/files/late-load.js";
import { field } from "../../kit/headers.js";
import { keepPackedForms } from "../../kit/packed-forms.js";
import { etagOf } from "../../kit/text/etag.js";
import { type Content, PAGES_SERVICE, type Page, pageMethod } from "./page.js";

/** Only the hub's own scripts and styles, no inline ones, no eval, no frames; the style sheet may contain images. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const FIELDS = [
  field("cache-control", "no-cache"),
  field("content-security-policy", POLICY),
  field("referrer-policy", "no-referrer"),
];

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

/** Below the page's path: the package's files, and the script that starts it. */
const FILES: Readonly<
  Record<string, { readonly contentType: string; readonly content: () => Promise<Buffer> }>
> = {
  "swagger-ui.css": { contentType: STYLE, content: () => packaged("swagger-ui.css") },
  "swagger-ui-bundle.js": { contentType: SCRIPT, content: () => packaged("swagger-ui-bundle.js") },
  "favicon-32x32.png": { contentType: "image/png", content: () => packaged("favicon-32x32.png") },
  "start.js": { contentType: SCRIPT, content: () => Promise.resolve(Buffer.from(START)) },
  "start.css": { contentType: STYLE, content: () => Promise.resolve(Buffer.from(START_STYLE)) },
};

// Common parts of all operations (system parameters, the hub's headers, failures) are collapsed: expanded, they take
// several thousand pixels each. Tokens and keys that are typed in are not stored. The validator badge would be loaded
// from another server.
const START = `const foldable = (React, what, isOpen, toggle) =>
  React.createElement("button", { className: "btn fold", onClick: () => toggle(!isOpen) }, (isOpen ? "Hide " : "Show ") + what);
const folds = () => ({
  wrapComponents: {
    parameters: (Original, { React }) => (props) => {
      const [isOpen, toggle] = React.useState(false);
      const shared = props.parameters
        .filter((one) => one.get("in") === "header" || String(one.get("name")).startsWith("$"))
        .map((one) => one.get("name"));
      const all = React.createElement(Original, props);
      if (shared.size === 0) return all;
      const what = "what all operations take: " + shared.join(", ");
      return React.createElement("div", { className: isOpen ? "" : "folded" }, all, foldable(React, what, isOpen, toggle));
    },
    responses: (Original, { React }) => (props) => {
      const [isOpen, toggle] = React.useState(false);
      const good = props.responses.filter((_, code) => code.startsWith("2"));
      const failures = props.responses.keySeq().filter((code) => !code.startsWith("2"));
      const shown = isOpen ? props.responses : good;
      const all = React.createElement(Original, { ...props, responses: shown });
      if (good.size === 0 || failures.size === 0) return all;
      const what = "other answers: " + failures.join(", ");
      return React.createElement("div", null, all, foldable(React, what, isOpen, toggle));
    },
  },
});
const { url } = document.getElementById("swagger-ui").dataset;
SwaggerUIBundle({
  url,
  dom_id: "#swagger-ui",
  deepLinking: true,
  filter: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [folds],
});
`;

const START_STYLE = `.folded tr[data-param-in="header"], .folded tr[data-param-name^="$"] { display: none; }
.swagger-ui .btn.fold { border: none; box-shadow: none; font-size: 12px; font-weight: 400; padding: 4px 20px 12px; text-align: left; }
`;

/** @param openApi path of the document in JSON */
export function docsPages(path: string, openApi: string): Page[] {
  const method = pageMethod(PAGES_SERVICE, "Docs");
  const about = "the API page (http.docs)";
  const page: Page = {
    path,
    method,
    about,
    render: kept(() => Promise.resolve(Buffer.from(html(path, openApi))), "text/html; charset=utf-8"),
  };
  const files = Object.entries(FILES).map(([name, { contentType, content }]) => ({
    path: `${path}/${name}`,
    method,
    about,
    render: kept(content, contentType),
  }));
  return [page, ...files];
}

/** Paths are relative, so that the page works below any path of a proxy. */
function html(path: string, openApi: string): string {
  const base = posix.basename(path);
  const document = posix.relative(posix.dirname(path), openApi);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<link rel="icon" type="image/png" href="${base}/favicon-32x32.png">
<link rel="stylesheet" href="${base}/swagger-ui.css">
<link rel="stylesheet" href="${base}/start.css">
</head>
<body>
<div id="swagger-ui" data-url="${document}"></div>
<script src="${base}/swagger-ui-bundle.js"></script>
<script src="${base}/start.js"></script>
</body>
</html>
`;
}

/** Read on demand: the package's files do not change while the process runs. */
function kept(read: () => Promise<Buffer>, contentType: string): () => Promise<Content> {
  let content: Promise<Content> | undefined;
  return () => {
    content ??= read().then((body) => {
      keepPackedForms(body);
      return { contentType, body, etag: etagOf(body), fields: FIELDS };
    });
    // A failed read is tried again.
    content.catch(() => {
      content = undefined;
    });
    return content;
  };
}

const BYTES = new Map<string, Promise<Buffer>>();

/** A file of the package; read once for all snapshots. */
function packaged(name: string): Promise<Buffer> {
  let bytes = BYTES.get(name);
  if (bytes === undefined) {
    const folder = dirname(
      lateLoad(() => createRequire(import.meta.url).resolve("swagger-ui-dist/package.json")),
    );
    bytes = readFile(join(folder, name));
    BYTES.set(name, bytes);
    bytes.catch(() => BYTES.delete(name));
  }
  return bytes;
}
