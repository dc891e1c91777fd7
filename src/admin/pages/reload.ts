// `POST /reload`.
import type { Page } from "./page.js";

export const reloadPage: Page = {
  path: "/reload",
  about: "POST: reads the config anew, and serves by it",
  remote: false,
  method: "POST",
  respond: async (hub) => {
    const notes = await hub.reload("POST /reload");
    return {
      status: 200,
      body: { reloaded: true, notes },
      text: () => ["reloaded", ...notes].join("\n"),
    };
  },
};
