// The pages of the admin listener. A new one is added here.
import { certificatesPage } from "./certificates.js";
import { configPage } from "./config.js";
import { indexPage } from "./index-page.js";
import { metricsPage } from "./metrics.js";
import type { Page } from "./page.js";
import { livezPage, readyzPage } from "./probes.js";
import { reloadPage } from "./reload.js";
import { routesPage } from "./routes.js";
import { upstreamsPage } from "./upstreams.js";

export const PAGES: readonly Page[] = [
  indexPage,
  livezPage,
  readyzPage,
  routesPage,
  upstreamsPage,
  metricsPage,
  certificatesPage,
  configPage,
  reloadPage,
];
