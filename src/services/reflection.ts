// gRPC server reflection (v1 and v1alpha) that returns descriptors byte for byte as they were made or learned: clients
// find google.api.http, comments and all other options in them.
import { type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService,
} from "#generated/grpc/reflection/v1/reflection.js";
import { ServerReflectionService as AlphaService } from "#generated/grpc/reflection/v1alpha/reflection.js";
import { barrier } from "../kit/barrier.js";
import { reportFault } from "../kit/faults.js";
import type { Descriptors } from "../schema/descriptors/descriptor-index.js";

/** The data of reflection. Read at each request: it may change while the server runs. */
export interface DescriptorSource {
  /** Full names of the services to list. */
  serviceNames(): readonly string[];
  index(): Descriptors;
}

type ReflectionCall = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;
type MessageResponse = NonNullable<ServerReflectionResponse["messageResponse"]>;

/** Adds grpc.reflection.v1 and v1alpha, which differ in nothing but the package's name, to a server. */
export function addReflection(server: Server, source: DescriptorSource): void {
  const { serverReflectionInfo: v1 } = ServerReflectionService;
  const handlers = { serverReflectionInfo: (call: ReflectionCall) => serve(call, source) };
  server.addService(ServerReflectionService, handlers);
  server.addService(
    { serverReflectionInfo: { ...v1, path: AlphaService.serverReflectionInfo.path } },
    handlers,
  );
}

function serve(call: ReflectionCall, source: DescriptorSource): void {
  const session = new Session(source);
  const onFault = (fault: unknown): void => {
    const id = reportFault("while answering a reflection request", fault);
    call.emit("error", { code: status.INTERNAL, details: `the hub failed to answer (fault ${id})` });
  };
  const onRequest = (request: ServerReflectionRequest): void => {
    const response: ServerReflectionResponse = {
      validHost: request.host,
      originalRequest: request,
      messageResponse: session.answer(request),
    };
    if (!call.write(response)) {
      call.pause();
      call.once("drain", () => call.resume());
    }
  };
  call.on("data", barrier(onRequest, onFault));
  call.on("end", () => call.end());
  // The caller disconnected, or sent a malformed request: grpc-js has ended the call with the right status.
  call.on("error", () => {});
}

/** State of one reflection call: an imported file is sent once. */
class Session {
  readonly #source: DescriptorSource;
  #index: Descriptors | undefined = undefined;
  readonly #sent = new Set<string>();

  constructor(source: DescriptorSource) {
    this.#source = source;
  }

  answer(request: ServerReflectionRequest): MessageResponse {
    const index = this.#source.index();
    if (index !== this.#index) {
      // Files that were sent before may have other bytes.
      this.#sent.clear();
      this.#index = index;
    }
    const question = request.messageRequest;
    switch (question?.$case) {
      case "fileByFilename":
        return this.#files(index, question.value, `file ${question.value}`);
      case "fileContainingSymbol":
        return this.#files(index, index.fileContaining(question.value), `symbol ${question.value}`);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        const file = index.fileExtending(containingType, extensionNumber);
        return this.#files(index, file, `extension ${extensionNumber} of ${containingType}`);
      }
      case "allExtensionNumbersOfType": {
        const numbers = index.extensions(question.value);
        if (numbers === undefined) return notFound(`message ${question.value}`);
        return {
          $case: "allExtensionNumbersResponse",
          value: { baseTypeName: question.value, extensionNumber: [...numbers] },
        };
      }
      case "listServices": {
        const service = this.#source.serviceNames().map((name) => ({ name }));
        return { $case: "listServicesResponse", value: { service } };
      }
      default:
        return error(status.INVALID_ARGUMENT, "the request has no query that this server supports");
    }
  }

  /** The file is sent even if it was before: a response must contain a file. */
  #files(index: Descriptors, name: string | undefined, what: string): MessageResponse {
    const wanted = name === undefined ? undefined : index.file(name);
    if (name === undefined || wanted === undefined) return notFound(what);
    const files = [Buffer.from(wanted.buffer, wanted.byteOffset, wanted.byteLength)];
    for (const dependency of index.withDependencies(name)) {
      const bytes = index.file(dependency);
      if (dependency !== name && bytes !== undefined && !this.#sent.has(dependency)) {
        files.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
        this.#sent.add(dependency);
      }
    }
    this.#sent.add(name);
    return { $case: "fileDescriptorResponse", value: { fileDescriptorProto: files } };
  }
}

function notFound(what: string): MessageResponse {
  return error(status.NOT_FOUND, `${what} is not known here`);
}

function error(errorCode: number, errorMessage: string): MessageResponse {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
