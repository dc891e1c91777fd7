// Every command with its arguments, in the order in which the help shows them. Imports nothing heavy.
import { DEFAULTS } from "../../config/defaults.js";
import type { CommandSpec, OptionSpec } from "./args.js";

const LEARNING: Readonly<Record<string, OptionSpec>> = {
  protoset: { value: "FILE", help: "learn the targets' services from a serialized FileDescriptorSet" },
  proto: {
    value: "DIR",
    multiple: true,
    help: "learn them from the .proto files of a folder (an import root)",
  },
};

const LISTENING: Readonly<Record<string, OptionSpec>> = {
  listen: { value: "HOST:PORT", help: `where clients call, or unix:/PATH (default ${DEFAULTS.listen})` },
  admin: {
    value: "HOST:PORT",
    help: `where the hub shows its health and routes, or off (default ${DEFAULTS.admin})`,
  },
};

const LOGGING: Readonly<Record<string, OptionSpec>> = {
  "log-level": { value: "LEVEL", help: "debug, info, warn, error or silent (default info)" },
  "log-format": { value: "FORMAT", help: "json or pretty (default pretty)" },
};

export const COMMANDS = {
  serve: {
    name: "serve",
    summary: "serve gRPC services on one port, for gRPC and HTTP/JSON clients",
    synopsis: "[[NAME=]HOST:PORT | https://HOST[:PORT] ...] [options]",
    minPositionals: 0,
    maxPositionals: 1_000,
    options: {
      config: { value: "FILE", help: "the config file (default: LINCHPIN_CONFIG, or ./linchpin.yaml)" },
      watch: { help: "reload when the config file changes, however it is replaced" },
      ...LEARNING,
      "schema-cache": {
        value: "DIR",
        help: "keep learned schemas in this folder, to start while services are down",
      },
      ...LISTENING,
      workers: { value: "N", help: "processes that share the port (only 1 is supported yet)" },
      ...LOGGING,
    },
    details: `A target is a gRPC server, [NAME=]HOST:PORT, or [NAME=]https://HOST[:PORT] over TLS (port 443); http://HOST:PORT is clear text. The same name twice is one upstream with two endpoints.
The hub learns a target's services by gRPC server reflection, or from --protoset or --proto.
Without targets it serves the upstreams of --config, LINCHPIN_CONFIG or ./linchpin.yaml. With --config and targets,
a target replaces the upstream of its name, or joins the upstreams of the file.

SIGTERM and SIGINT drain: the hub is not ready any more, accepts for drain.delay, and lets running calls end within
drain.grace; then the exit code is 0. A second signal ends at once, with 128 plus its number. SIGHUP, or POST /reload on
the admin listener, reads the config file anew and serves by it, all or nothing: a file with errors changes nothing.
With --watch the hub does so by itself when the file is edited or replaced, by renaming or by the symlinks of a
Kubernetes ConfigMap.`,
  },
  check: {
    name: "check",
    summary: "check a config file; prints every error with its line and column",
    synopsis: "[FILE] [--live] [--json]",
    minPositionals: 0,
    maxPositionals: 1,
    options: {
      live: { help: "also learn the services of every upstream, as serve would" },
      json: { help: "print what was found as JSON, errors and warnings" },
    },
    details: `Without FILE it takes LINCHPIN_CONFIG or ./linchpin.yaml; - is standard input. It warns of keys that have no effect.
Exit code 0: fine, warnings or not; 1: it has errors, or with --live an upstream cannot be learned.`,
  },
  routes: {
    name: "routes",
    summary: "show the HTTP and gRPC routes, or which one answers a request and why",
    synopsis: "[TARGET|FILE] [METHOD PATH] [options]",
    minPositionals: 0,
    maxPositionals: 3,
    options: { ...LEARNING, json: { help: "print JSON" } },
    details: `TARGET is [NAME=]HOST:PORT or https://HOST[:PORT] of a gRPC server, FILE a config file (default: LINCHPIN_CONFIG or ./linchpin.yaml).
linchpin routes 127.0.0.1:50051 GET /v1/books says which rule answers GET /v1/books, and why others do not; the exit code is 1 where none does.`,
  },
  upstreams: {
    name: "upstreams",
    summary: "show the endpoints of a running hub: state, load, and why one gets no calls",
    synopsis: "[ADMIN-URL|FILE] [--json]",
    minPositionals: 0,
    maxPositionals: 1,
    options: { json: { help: "print JSON" } },
    details: `ADMIN-URL is the admin listener of a hub, as in http://${DEFAULTS.admin}; FILE a config file, whose admin is asked.
Without either: admin of LINCHPIN_CONFIG or ./linchpin.yaml where there is one, else http://${DEFAULTS.admin}.
A listener that asks for a token gets that of LINCHPIN_ADMIN_TOKEN; NODE_EXTRA_CA_CERTS names a CA of its certificate.`,
  },
  openapi: {
    name: "openapi",
    summary: "write the OpenAPI 3.1 document of the HTTP routes, for build pipelines",
    synopsis: "[TARGET|FILE] [-o FILE] [options]",
    minPositionals: 0,
    maxPositionals: 1,
    options: {
      output: {
        value: "FILE",
        short: "o",
        help: "where to write it: YAML for .yaml and .yml, else JSON (default: standard output)",
      },
      service: { value: "NAME", help: "only this service, as in library.v1.LibraryService" },
      version: { value: "VERSION", help: "only services whose package ends with this version, as in v1" },
      ...LEARNING,
    },
    details: `TARGET is [NAME=]HOST:PORT or https://HOST[:PORT] of a gRPC server, FILE a config file (default: LINCHPIN_CONFIG or ./linchpin.yaml).
A running hub serves the same document at /openapi.json and /openapi.yaml.`,
  },
  descriptors: {
    name: "descriptors",
    summary: "write the descriptors of a server's services as a FileDescriptorSet, for buf generate",
    synopsis: "TARGET -o FILE",
    minPositionals: 1,
    maxPositionals: 1,
    options: { output: { value: "FILE", short: "o", help: "where to write it; - for standard output" } },
  },
  demo: {
    name: "demo",
    summary: "serve sample services, to try the hub without any of your own",
    synopsis: "[options]",
    minPositionals: 0,
    maxPositionals: 0,
    options: { ...LISTENING, ...LOGGING },
  },
  init: {
    name: "init",
    summary: "write a linchpin.yaml to start from, with every key and its default",
    synopsis: "[[NAME=]HOST:PORT ...] [-o FILE] [--minimal]",
    minPositionals: 0,
    maxPositionals: 1_000,
    options: {
      output: {
        value: "FILE",
        short: "o",
        help: "where to write it (default ./linchpin.yaml); - for standard output",
      },
      minimal: { help: "write the upstreams alone, without the other keys" },
    },
    details:
      "It never overwrites a config. Beside FILE it writes linchpin.schema.json, with which editors complete and check.",
  },
  "config-schema": {
    name: "config-schema",
    summary: "print the JSON Schema of the config file",
    synopsis: "",
    minPositionals: 0,
    maxPositionals: 0,
    options: {},
  },
  completion: {
    name: "completion",
    summary: "print a script that completes commands and options in a shell",
    synopsis: "bash|zsh|fish",
    minPositionals: 1,
    maxPositionals: 1,
    options: {},
    details: `bash: source <(linchpin completion bash); zsh: source <(linchpin completion zsh), after compinit;
fish: linchpin completion fish | source`,
  },
  version: {
    name: "version",
    summary: "print the version (also --version)",
    synopsis: "",
    minPositionals: 0,
    maxPositionals: 0,
    options: {},
  },
  help: {
    name: "help",
    summary: "explain a command (also --help)",
    synopsis: "[COMMAND]",
    minPositionals: 0,
    maxPositionals: 1,
    options: {},
  },
} as const satisfies Readonly<Record<string, CommandSpec>>;

export type CommandName = keyof typeof COMMANDS;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}
