// Every command of the documentation once more, with the real curl, and with grpcurl.
import { before } from "node:test";
import { testDocuments } from "../support/documents.js";
import { program } from "./support/programs.js";

before(() => {
  for (const name of ["curl", "grpcurl"]) program(name);
});
testDocuments("foreign");
