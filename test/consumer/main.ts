// A program of somebody else: what the packed package gives it. test/package.test.ts compiles and runs it outside of
// this repository; nothing here may import but packages.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { type Call, Code, createHub, type Hub, type Interceptor, Status, UserError } from "linchpin-hub";
import {
  Book,
  LibraryServiceClient,
  type LibraryServiceServer,
  LibraryServiceService,
} from "linchpin-hub/samples/library/v1";
import { LibraryServiceClient as LibraryV2Client } from "linchpin-hub/samples/library/v2";

const shelf = new Map([["books/emma", Book.fromPartial({ name: "books/emma", title: "Emma" })]]);

const library: Partial<LibraryServiceServer> = {
  getBook: (call, answer) => {
    const book = shelf.get(call.request.name);
    if (book === undefined) answer({ code: Code.NOT_FOUND, details: `no ${call.request.name}` });
    else answer(null, book);
  },
};

const tenant: Interceptor = {
  name: "tenant",
  plan: (method) => ({
    name: "tenant",
    start: (call: Call) =>
      call.headers.get("x-tenant") === undefined && method.service.startsWith("library.")
        ? new Status(Code.PERMISSION_DENIED, "x-tenant is missing")
        : undefined,
  }),
};

const hub: Hub = await createHub({
  listen: "127.0.0.1:0",
  services: [
    {
      definition: LibraryServiceService,
      implementation: library,
      descriptors: readFileSync(fileURLToPath(import.meta.resolve("linchpin-hub/samples/image.binpb"))),
    },
  ],
  use: [tenant],
});

const client = new LibraryServiceClient(hub.address, credentials.createInsecure());
const refused = await new Promise<ServiceError | null>((resolve) =>
  client.getBook({ name: "books/emma" }, (error) => resolve(error)),
);
console.log(refused?.code, refused?.details);
client.close();

for (const name of ["emma", "nothing"]) {
  const answer = await fetch(`${hub.url}/v1/books/${name}`, { headers: { "x-tenant": "blue" } });
  const text = await answer.text();
  console.log(answer.status, text.includes('"title":"Emma"'));
}

const other = new LibraryV2Client(hub.address, credentials.createInsecure());
console.log(typeof other.getBook);
other.close();
await hub.close();

const mistake = await createHub({ listen: "8080", services: [] }).catch((error: unknown) => error);
console.log(mistake instanceof UserError);
