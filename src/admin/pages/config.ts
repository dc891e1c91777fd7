// `/config`: the config in force.
import { masked } from "../../config/mask.js";
import type { Page } from "./page.js";

export const configPage: Page = {
  path: "/config",
  about: "the config in force, in the keys of the file, secrets masked",
  remote: false,
  answer: (hub) => ({ status: 200, body: masked(hub.written, hub.secrets) }),
};
