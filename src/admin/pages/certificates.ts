// `/certificates`: which certificates are in use, and when they end.
import { textTable } from "../../kit/text-table.js";
import type { Page } from "./page.js";

export const certificatesPage: Page = {
  path: "/certificates",
  about: "the certificates in use, and when they end",
  remote: false,
  respond: (hub) => {
    const rows = hub.certificates().map(({ owner, role, file, expiresAt, problem }) => ({
      owner,
      role,
      file,
      expires: new Date(expiresAt).toISOString(),
      problem,
    }));
    return {
      status: 200,
      body: { certificates: rows },
      text: () =>
        textTable(rows.map((row) => [row.expires, row.owner, row.role, row.file, row.problem ?? ""])).join(
          "\n",
        ),
    };
  },
};
