// `/config`: the config in force.
import { masking } from "../../config/mask.js";
import { inSlices } from "../../kit/in-slices.js";
import type { Page } from "./page.js";

export const configPage: Page = {
  path: "/config",
  about: "the config in force, in the keys of the file, secrets masked",
  remote: false,
  respond: async (hub) => ({ status: 200, body: await inSlices(masking(hub.written, hub.secrets)) }),
};
