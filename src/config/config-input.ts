// What linchpin.yaml may hold, as an object: made from the sections of the config by `node tools/write-config.mjs`.

/** A config, key by key as in linchpin.yaml; docs/config.md is the reference. */
export interface ConfigInput {
  /** Where clients call: HOST:PORT, unix:/PATH, { address, tls }, or a list of those. Only this machine can reach the default. Default: "127.0.0.1:8080". */
  readonly listen?: string | {
    /** HOST:PORT, or unix:/PATH. */
    readonly address: string;
    /** Serves TLS 1.2 and 1.3 instead of clear text. */
    readonly tls?: {
      /** PEM file: the certificate, then the rest of its chain; read again when it changes. */
      readonly cert: string;
      /** PEM file: the certificate's private key, without a passphrase. */
      readonly key: string;
      /** PEM file: who signs clients' certificates (mTLS). Left out: clients are not asked for one. */
      readonly clientCa?: string | undefined;
      /** With clientCa. require (the default): no connection without a certificate that it signed; request: no identity without one. */
      readonly clientAuth?: "require" | "request" | undefined;
    } | undefined;
  } | readonly (string | {
    /** HOST:PORT, or unix:/PATH. */
    readonly address: string;
    /** Serves TLS 1.2 and 1.3 instead of clear text. */
    readonly tls?: {
      /** PEM file: the certificate, then the rest of its chain; read again when it changes. */
      readonly cert: string;
      /** PEM file: the certificate's private key, without a passphrase. */
      readonly key: string;
      /** PEM file: who signs clients' certificates (mTLS). Left out: clients are not asked for one. */
      readonly clientCa?: string | undefined;
      /** With clientCa. require (the default): no connection without a certificate that it signed; request: no identity without one. */
      readonly clientAuth?: "require" | "request" | undefined;
    } | undefined;
  })[] | undefined;
  /** Address of the admin listener, with health and routes: HOST:PORT, { address, token, tls }, or off. Default: "127.0.0.1:9901". */
  readonly admin?: string | false | {
    /** HOST:PORT. */
    readonly address: string;
    /** What callers send as `authorization: Bearer TOKEN`; at least 16 characters. Needed off loopback, and asked of everyone once it is there. */
    readonly token?: string | undefined;
    /** The token in a file of its own. */
    readonly tokenFile?: string | undefined;
    /** Serves TLS 1.2 and 1.3 instead of clear text. */
    readonly tls?: {
      /** PEM file: the certificate, then the rest of its chain; read again when it changes. */
      readonly cert: string;
      /** PEM file: the certificate's private key, without a passphrase. */
      readonly key: string;
      /** PEM file: who signs clients' certificates (mTLS). Left out: clients are not asked for one. */
      readonly clientCa?: string | undefined;
      /** With clientCa. require (the default): no connection without a certificate that it signed; request: no identity without one. */
      readonly clientAuth?: "require" | "request" | undefined;
    } | undefined;
  } | undefined;
  /** Proxies whose x-forwarded-for, -proto and -host are believed: IP addresses and ranges. What others say there is dropped. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** The zone that the hub runs in: its calls stay there where endpoints have zones (docs/upstreams.md). Empty: all zones are alike. Default: "". */
  readonly zone?: string | undefined;
  /** The gRPC services behind the hub, by a name of your choice. */
  readonly upstreams?: { readonly [name: string]: {
    /** The instances; calls are spread over them. A list of HOST:PORT, unix:/PATH or { address, weight, zone, priority }, or a source that tells them, as in docs/upstreams.md. */
    readonly endpoints: string | readonly (string | {
      /** HOST:PORT, or unix:/PATH. */
      readonly address: string;
      /** Its share of the calls beside that of others, which is 1 where none is given; 0: it gets none. */
      readonly weight?: number | undefined;
      /** Where it runs, for balancers that prefer the hub's own zone. */
      readonly zone?: string | undefined;
      /** Endpoints of a lower number come first; 0 where none is given. */
      readonly priority?: number | undefined;
    })[];
    /** Where the hub learns the upstream's services: reflection, { protoset: FILE } or { protos: [DIR] }; none: nowhere, gRPC clients alone can call those that services names. Default: "reflection". */
    readonly schema?: "reflection" | "none" | {
      /** A serialized FileDescriptorSet, as `buf build -o` and `protoc -o` write it; relative to this file. */
      readonly protoset?: string | undefined;
      /** Folders of .proto files, each an import root; relative to this file. */
      readonly protos?: readonly string[] | undefined;
    } | undefined;
    /** With schema: none, the full names of its services, as in [legacy.v1.Orders]. Left out: all services that no other upstream has. */
    readonly services?: readonly string[] | undefined;
    /** Calls the services over TLS. true: trusts what this machine trusts, and shows no certificate; else { ca, cert, key, serverName } (docs/tls.md). */
    readonly tls?: boolean | {
      /** PEM file: whose certificates are trusted. Left out: those that this machine trusts. */
      readonly ca?: string | undefined;
      /** PEM file: the hub's own certificate, for services that ask for one; read again when it changes. */
      readonly cert?: string | undefined;
      /** PEM file: its private key, without a passphrase. */
      readonly key?: string | undefined;
      /** The name in the service's certificate, where it is not the endpoint's host. */
      readonly serverName?: string | undefined;
      /** true: accepts any certificate, so that anyone on the network path can read and change every call. Only for tests. */
      readonly dangerouslyTrustAnyServer?: boolean | undefined;
    } | undefined;
    /** What a source of endpoints is reached with (docs/upstreams.md). */
    readonly discovery?: {
      /** etcd: who logs in. */
      readonly user?: string | undefined;
      /** etcd: a file with the password, read again for each login; relative to this file. */
      readonly passwordFile?: string | undefined;
      /** etcd: speaks TLS. Files are read again for each connection. */
      readonly tls?: boolean | {
        /** PEM file: whose certificates are trusted. Left out: what Node trusts. */
        readonly ca?: string | undefined;
        /** PEM file: the hub's own certificate. */
        readonly cert?: string | undefined;
        /** PEM file: its private key. */
        readonly key?: string | undefined;
        /** The name in the server's certificate, where it is not its host. */
        readonly serverName?: string | undefined;
      } | undefined;
      /** kubernetes: a kubeconfig, relative to this file. Left out: the service account of the pod; outside of a cluster KUBECONFIG or ~/.kube/config. */
      readonly kubeconfig?: string | undefined;
      /** kubernetes: the context of the kubeconfig. Left out: its current one. */
      readonly context?: string | undefined;
    } | undefined;
    /** How many connections the hub opens to the services. */
    readonly connections?: {
      /** Connections to one endpoint. A further one is opened when those there are full. Default: 100. */
      readonly max?: number | undefined;
      /** Connections to all endpoints together; each endpoint may have its first one all the same. Default: 1024. */
      readonly total?: number | undefined;
      /** A connection beyond an endpoint's first is closed when it has had no call for so long. Default: "60s". */
      readonly idle?: string | undefined;
    } | undefined;
    /** Calls that wait for a connection. */
    readonly pending?: {
      /** Calls that may wait for a connection; more are refused at once. Default: 1024. */
      readonly max?: number | undefined;
      /** How long calls wait for an upstream whose every endpoint was lost a moment ago, as when its only instance restarts; counted from the loss. After it they fail at once, until the upstream is back. Default: "5s". */
      readonly wait?: string | undefined;
    } | undefined;
    /** Which endpoint a call goes to (docs/upstreams.md). Default: "peak_ewma". */
    readonly balancer?: "peak_ewma" | "round_robin" | "least_request" | "random" | "weighted_round_robin" | (string & {}) | {
      /** The faster of two endpoints: average response time, times running calls. */
      readonly peak_ewma?: {
        /** Assumed response time of an endpoint that has not responded yet. Default: "30ms". */
        readonly rtt?: string | undefined;
        /** After this time a slow response still counts for a third. Default: "10s". */
        readonly decay?: string | undefined;
      } | undefined;
      /** Each in turn. */
      readonly round_robin?: {} | undefined;
      /** The one of two endpoints that has fewer calls. */
      readonly least_request?: {
        /** How many endpoints are drawn at random; the one with the fewest calls is taken. Default: 2. */
        readonly choices?: number | undefined;
      } | undefined;
      /** Any. */
      readonly random?: {} | undefined;
      /** In turn, by what services report of their load with each call (gRFC A58). */
      readonly weighted_round_robin?: {
        /** An endpoint's load reports count once it has sent them for this long. Default: "10s". */
        readonly blackout?: string | undefined;
        /** How long a report counts. Default: "3m". */
        readonly expiry?: string | undefined;
        /** How often weights are computed. Default: "1s". */
        readonly update?: string | undefined;
        /** How much of an endpoint's utilization a rate of errors counts for; 0: errors do not matter. Default: 1. */
        readonly errorPenalty?: number | undefined;
      } | undefined;
      /** The same endpoint for the same key; few keys move when endpoints come and go. */
      readonly ring_hash?: {
        /** Calls with the same value of this header go to the same endpoint; those without it to any. */
        readonly header?: string | undefined;
        /** Calls of the same caller, as authentication knows it, go to the same endpoint. */
        readonly identity?: true | undefined;
        /** Calls with the same value of this field of the request, as in book.name, go to the same endpoint: of the first message, for methods whose schema is known. */
        readonly field?: string | undefined;
        /** The fewest points on the ring. Default: 1024. */
        readonly min?: number | undefined;
        /** The most points on the ring. Default: 8388608. */
        readonly max?: number | undefined;
      } | undefined;
      /** As ring_hash: shares are evener, more keys move. */
      readonly maglev?: {
        /** Calls with the same value of this header go to the same endpoint; those without it to any. */
        readonly header?: string | undefined;
        /** Calls of the same caller, as authentication knows it, go to the same endpoint. */
        readonly identity?: true | undefined;
        /** Calls with the same value of this field of the request, as in book.name, go to the same endpoint: of the first message, for methods whose schema is known. */
        readonly field?: string | undefined;
        /** Entries of the table, a prime number: some hundred for each endpoint. Default: 65537. */
        readonly size?: number | undefined;
      } | undefined;
    } | undefined;
    /** Endpoints that are cold at first get few calls at first. */
    readonly slowStart?: {
      /** After so long a new endpoint, or one that is back, gets its whole share; none: at once. Default: "none". */
      readonly window?: string | undefined;
      /** The share grows as (time / window)^(1 / aggression): 1 evenly, more is faster at first. Default: 1. */
      readonly aggression?: number | undefined;
      /** The share at the begin. Default: 0.1. */
      readonly min?: number | undefined;
    } | undefined;
    /** What endpoints' zones are for. */
    readonly zones?: {
      /** Whether calls stay in the hub's own zone (zone), as long as it has its share of the endpoints. Default: true. */
      readonly prefer?: boolean | undefined;
    } | undefined;
    /** Watches the health of every endpoint by grpc.health.v1, and sends no calls to those that report anything but SERVING; false: off. Default: false. */
    readonly health?: false | {
      /** The service whose health is queried; empty: the server as a whole. Default: "". */
      readonly service?: string | undefined;
      /** How long the first response may take. Default: "2s". */
      readonly timeout?: string | undefined;
    } | undefined;
    /** Outlier detection (gRFC A50): endpoints that fail more calls than others get none for a while; false: off. Default: false. */
    readonly outliers?: false | {
      /** An endpoint is ejected after this many failed calls in a row; none: never for this reason. Default: 5. */
      readonly consecutive?: number | "none" | undefined;
      /** Ejects an endpoint whose share of successful calls is far below that of the others; false: off. */
      readonly successRate?: false | {
        /** Success rates are compared only if at least this many endpoints have enough calls. Default: 5. */
        readonly hosts?: number | undefined;
        /** How many calls within an interval are enough. Default: 100. */
        readonly requests?: number | undefined;
        /** An endpoint is ejected if its success rate is this many standard deviations below the mean. Default: 1.9. */
        readonly deviations?: number | undefined;
      } | undefined;
      /** Statuses of a service that count as failures. Calls that it broke off, and responses that are not gRPC, always do. */
      readonly codes?: readonly ("UNAVAILABLE" | "INTERNAL" | "DATA_LOSS" | "DEADLINE_EXCEEDED" | "UNKNOWN" | "RESOURCE_EXHAUSTED" | "UNIMPLEMENTED")[] | undefined;
      /** How often success rates are compared. Default: "10s". */
      readonly interval?: string | undefined;
      /** How long the first ejection of an endpoint lasts; the second lasts twice as long, and so on. Default: "30s". */
      readonly ejection?: string | undefined;
      /** The longest ejection. Default: "300s". */
      readonly maxEjection?: string | undefined;
      /** Share of the endpoints that may be ejected at a time; one may always be. Default: 0.1. */
      readonly maxShare?: number | undefined;
    } | undefined;
    /** When a smaller share of the endpoints than this can be reached and is healthy, all that can be reached get calls, ejected or not; 0: never. Default: 0.5. */
    readonly panic?: number | undefined;
    /** Circuit breakers: what may run at the upstream at a time. Connections and calls that wait for one have limits in connections and pending. */
    readonly breakers?: {
      /** Unary calls that may run at the upstream at a time; further ones are rejected at once. Default: "none". */
      readonly calls?: number | "none" | undefined;
      /** The same for calls that stream, and for methods without a known schema. Default: "none". */
      readonly streams?: number | "none" | undefined;
    } | undefined;
    /** Calls that failed are sent again, of methods that are idempotent by their schema (idempotency_level) or by methods. Left out, or false: none is that a service may have seen. */
    readonly retries?: false | {
      /** Attempts of a call in all, the first one included; 1: none is made again. Default: 3. */
      readonly attempts?: number | undefined;
      /** gRPC codes that are worth another attempt. */
      readonly on?: readonly ("CANCELLED" | "UNKNOWN" | "INVALID_ARGUMENT" | "DEADLINE_EXCEEDED" | "NOT_FOUND" | "ALREADY_EXISTS" | "PERMISSION_DENIED" | "RESOURCE_EXHAUSTED" | "FAILED_PRECONDITION" | "ABORTED" | "OUT_OF_RANGE" | "UNIMPLEMENTED" | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS" | "UNAUTHENTICATED")[] | undefined;
      /** How many retries and hedges all calls to the upstream may have together: a share of them, or { share, perSecond }; none: any number. Default: "20%". */
      readonly budget?: string | {
        /** Of the upstream's calls that may be sent again, over the last 10 s. Default: "20%". */
        readonly share?: string | undefined;
        /** Retries per second beside those, on average over 10 s. Default: 10. */
        readonly perSecond?: number | undefined;
      } | undefined;
      /** How long the hub waits before another attempt, unless the service says (grpc-retry-pushback-ms). */
      readonly backoff?: {
        /** Before the second attempt, ±20 %; doubles from one to the next. Default: "25ms". */
        readonly base?: string | undefined;
        /** The longest, ±20 %. Default: "1s". */
        readonly max?: string | undefined;
      } | undefined;
      /** How much of a request is kept for another attempt; a larger one is sent once. Default: "64KiB". */
      readonly replay?: string | undefined;
      /** Attempts side by side, of which the first answer counts, instead of one after the other. */
      readonly hedge?: {
        /** After so long without an answer another attempt is made beside those that run. */
        readonly delay: string;
      } | undefined;
    } | undefined;
    /** A gRPC service config, a JSON file: its retryPolicy, hedgingPolicy, retryThrottling and timeout hold; relative to this file. */
    readonly serviceConfig?: string | undefined;
  } } | undefined;
  /** What every call passes on its way. */
  readonly interceptors?: {
    /** Metrics: rate, errors and duration of calls, and what the process takes. */
    readonly metrics?: {
      /** Whether calls are measured, for /metrics of the admin listener and for the exporter. Default: true. */
      readonly enabled?: boolean | undefined;
      /** otlp: the metrics are sent to a collector as well. Default: "none". */
      readonly exporter?: "otlp" | "none" | undefined;
      /** The collector. Left out: OTEL_EXPORTER_OTLP_ENDPOINT, or the collector on this machine. Default: "http://127.0.0.1:4317". */
      readonly endpoint?: string | undefined;
      /** Left out: OTEL_EXPORTER_OTLP_PROTOCOL, or http/protobuf where the endpoint's port is 4318, else grpc. Default: "grpc". */
      readonly protocol?: "grpc" | "http/protobuf" | undefined;
      /** How often they are sent. Left out: OTEL_METRIC_EXPORT_INTERVAL, or a minute. Default: "1m". */
      readonly interval?: string | undefined;
    } | undefined;
    /** Traces: W3C trace context, and spans by OpenTelemetry. */
    readonly tracing?: {
      /** otlp: sampled calls are sent to a collector; none: trace headers are passed on, and that is all. Default: "none". */
      readonly exporter?: "otlp" | "none" | undefined;
      /** The collector. Left out: OTEL_EXPORTER_OTLP_ENDPOINT, or the collector on this machine. Default: "http://127.0.0.1:4317". */
      readonly endpoint?: string | undefined;
      /** Left out: OTEL_EXPORTER_OTLP_PROTOCOL, or http/protobuf where the endpoint's port is 4318, else grpc. Default: "grpc". */
      readonly protocol?: "grpc" | "http/protobuf" | undefined;
      /** Share of calls that are traced where no trusted caller decides, from 0 to 1. Default: 0.01. */
      readonly sample?: number | undefined;
      /** Callers whose decision to trace a call, or not to, is honoured: IP addresses and ranges of them. */
      readonly trustedPeers?: readonly string[] | undefined;
    } | undefined;
    /** The access log: a JSON line for each call. */
    readonly accessLog?: {
      /** off, stdout, stderr, or a file that is appended to; relative to this file. Default: "off". */
      readonly destination?: string | false | undefined;
      /** Share of the calls that ended well which get a line, from 0 to 1; failures always get one. Default: 1. */
      readonly sample?: number | undefined;
    } | undefined;
    /** How long a call may take. The time left is passed on to the service. */
    readonly deadline?: {
      /** For a unary call whose caller names no deadline; none: it may run for ever. Default: "15s". */
      readonly default?: string | undefined;
      /** Cap on what the caller asks for and on every other deadline of this file; none: no cap. Default: "none". */
      readonly max?: string | undefined;
    } | undefined;
    /** What one client address may take before anybody asks who it is; an IPv6 address counts with its /64. No limit by default: a proxy in front of the hub that is not in trustedProxies has one address for everybody. */
    readonly addressLimit?: {
      /** How many calls one address may make, as many of them at once; none: any number. Default: "none". */
      readonly rate?: string | undefined;
      /** How many calls of one address may run at once; none: any number. Default: "none". */
      readonly concurrent?: "none" | number | undefined;
    } | undefined;
    /** Who may call. Left out: everybody. */
    readonly auth?: {
      /** false: calls without a credential are anonymous; a wrong credential is refused all the same. Default: true. */
      readonly required?: boolean | undefined;
      /** Callers with an API key. */
      readonly apiKeys?: {
        /** The header (gRPC: metadata) that carries the key. Services never see it. Default: "x-api-key". */
        readonly header?: string | undefined;
        /** The keys. */
        readonly keys?: readonly ({
          /** Who presents the key, for logs, quotas and services. */
          readonly name: string;
          /** SHA-256 of the key in hexadecimal, as `printf %s KEY | sha256sum` prints it. Never the key. */
          readonly sha256: string;
          /** What the caller may do. */
          readonly roles?: readonly string[] | undefined;
        })[] | undefined;
        /** More keys: a YAML or JSON list in the form of `keys`, read again when it changes. */
        readonly file?: string | undefined;
      } | undefined;
      /** Callers with a JSON Web Token in authorization: Bearer, by issuer. */
      readonly jwt?: readonly ({
        /** The token's iss, to the letter. */
        readonly issuer: string;
        /** The token's aud must be, or contain, one of these. */
        readonly audiences: readonly string[];
        /** The issuer's public keys (a JSON Web Key Set): a URL or a file; left out: by OIDC discovery below the issuer. */
        readonly jwks?: string | undefined;
        /** The claim that lists roles, beside scope and scp; dots lead inside, as in realm_access.roles. Default: "roles". */
        readonly rolesClaim?: string | undefined;
        /** Signatures that are accepted; a key that names its own accepts no other. */
        readonly algorithms?: readonly ("RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "ES256" | "ES384" | "ES512" | "EdDSA")[] | undefined;
      })[] | undefined;
      /** Callers with a client certificate that the listener's clientCa has signed. */
      readonly mtls?: {
        /** Roles by the certificate's name: its SPIFFE URI, else its first DNS name, else its subject. */
        readonly roles?: { readonly [name: string]: readonly string[] } | undefined;
      } | undefined;
      /** Headers with the caller's identity for services. Clients cannot send them: theirs are removed. */
      readonly forward?: {
        /** Header with the caller's identity for services, as in api-key:web; left out: not sent. */
        readonly identity?: string | undefined;
        /** Header that tells services the caller's roles, separated by commas. */
        readonly roles?: string | undefined;
        /** Whether services get the caller's authorization header. Default: true. */
        readonly authorization?: boolean | undefined;
      } | undefined;
    } | undefined;
    /** How often whom may call what: token buckets. A call must be admitted by all that are for it. */
    readonly quota?: readonly ({
      /** Name of the quota in responses, metrics and logs. */
      readonly name: string;
      /** What calls are counted by; []: one count for all. identity and apiKey count callers who have none by their ip. */
      readonly key: readonly string[];
      /** How many calls in how much time, on average. */
      readonly rate: string;
      /** Burst: how many calls may come at once after a pause; left out: the number of the rate. */
      readonly burst?: number | undefined;
      /** Cost of a call. Default: 1. */
      readonly cost?: number | undefined;
      /** The methods it is for, pkg.Service/Method, pkg.Service or pkg.*; left out: all but health checks of the hub. */
      readonly methods?: readonly string[] | undefined;
      /** Where calls are counted; local: in this process. Default: "local". */
      readonly scope?: "local" | undefined;
      /** true: counts and reports, and rejects nothing. Default: false. */
      readonly shadow?: boolean | undefined;
      /** Whether answers say how much is left (RateLimit, RateLimit-Policy); refusals always say it. Default: true. */
      readonly headers?: boolean | undefined;
    })[] | undefined;
  } | undefined;
  /** Modules with interceptors of one's own, in the order in which they run at their place. docs/interceptors.md tells how to write one. */
  readonly use?: readonly ({
    /** File of an ES module, relative to this file. It exports by default a function (options, context) that returns the interceptor. Its code is loaded once: a change of it takes effect when the hub is started again. */
    readonly module: string;
    /** It runs before this interceptor of the hub. Not together with after. */
    readonly before?: "tracing" | "access-log" | "deadline" | "address-limit" | "auth" | "authorization" | "quota" | undefined;
    /** It runs after this interceptor of the hub. Left out, as before: auth. Default: "auth". */
    readonly after?: "tracing" | "access-log" | "deadline" | "address-limit" | "auth" | "authorization" | "quota" | undefined;
    /** Handed to the module as they stand. A reload makes the interceptor anew by them. */
    readonly options?: { readonly [name: string]: unknown } | undefined;
  })[] | undefined;
  /** Overrides for a method (pkg.Service/Method), a service (pkg.Service) or all services below a package (pkg.*); the most specific wins. */
  readonly methods?: { readonly [name: string]: {
    /** For a call whose caller names no deadline; none: it may run for ever. */
    readonly deadline?: string | undefined;
    /** none: no credential is asked for or looked at; optional or required: as interceptors.auth.required says for all. */
    readonly auth?: "none" | "optional" | "required" | undefined;
    /** The caller must have at least one of these. */
    readonly roles?: readonly string[] | undefined;
    /** none: no quota counts its calls; { cost: N }: cost of a call. */
    readonly quota?: "none" | {
      /** Cost of its calls, in every quota. */
      readonly cost: number;
    } | undefined;
    /** true: calling it twice does what calling it once does, so that a failed call may be sent again; false: it may not. Left out: as its idempotency_level says. */
    readonly idempotent?: boolean | undefined;
    /** Changes what retries of the upstream says; false: none. */
    readonly retries?: false | {
      /** Attempts of a call in all, the first one included; 1: none is made again. */
      readonly attempts?: number | undefined;
      /** gRPC codes that are worth another attempt. */
      readonly on?: readonly ("CANCELLED" | "UNKNOWN" | "INVALID_ARGUMENT" | "DEADLINE_EXCEEDED" | "NOT_FOUND" | "ALREADY_EXISTS" | "PERMISSION_DENIED" | "RESOURCE_EXHAUSTED" | "FAILED_PRECONDITION" | "ABORTED" | "OUT_OF_RANGE" | "UNIMPLEMENTED" | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS" | "UNAUTHENTICATED")[] | undefined;
      /** How many retries and hedges all calls to the upstream may have together: a share of them, or { share, perSecond }; none: any number. */
      readonly budget?: string | {
        /** Of the upstream's calls that may be sent again, over the last 10 s. Default: "20%". */
        readonly share?: string | undefined;
        /** Retries per second beside those, on average over 10 s. Default: 10. */
        readonly perSecond?: number | undefined;
      } | undefined;
      /** How long the hub waits before another attempt, unless the service says (grpc-retry-pushback-ms). */
      readonly backoff?: {
        /** Before the second attempt, ±20 %; doubles from one to the next. */
        readonly base?: string | undefined;
        /** The longest, ±20 %. */
        readonly max?: string | undefined;
      } | undefined;
      /** How much of a request is kept for another attempt; a larger one is sent once. */
      readonly replay?: string | undefined;
      /** Attempts side by side, of which the first answer counts, instead of one after the other. */
      readonly hedge?: {
        /** After so long without an answer another attempt is made beside those that run. */
        readonly delay: string;
      } | undefined;
      /** true: calls are sent again although the method is not idempotent, so that the service may do twice what was asked once. */
      readonly dangerouslyRepeatAnyCall?: boolean | undefined;
    } | undefined;
    /** true: HTML forms are taken as bodies too (application/x-www-form-urlencoded, multipart/form-data). Pages of other sites can send those without being asked: only where no cookie or address stands for the caller. */
    readonly forms?: boolean | undefined;
    /** The method's HTTP responses. */
    readonly http?: {
      /** HTTP status of a success response. Default: 200. */
      readonly success?: 200 | 201 | 202 | 203 | 204 | undefined;
      /** Location header of the response: {field} stands for a field of the response message. */
      readonly location?: string | undefined;
    } | undefined;
  } } | undefined;
  /** The HTTP/JSON side of the services. */
  readonly http?: {
    /** Whose behaviour the keys have that are left out (docs/coming-from.md): for those who come from there. Default: "strict". */
    readonly preset?: "strict" | "envoy" | "grpc-gateway" | undefined;
    /** What every REST path of the services starts with. Default: "". */
    readonly prefix?: string | undefined;
    /** HTTP rules laid over those of the services, as google.api.HttpRule writes them. */
    readonly rules?: readonly ({
      /** The method, as pkg.Service.Method. */
      readonly selector: string;
      readonly get?: string | undefined;
      readonly put?: string | undefined;
      readonly post?: string | undefined;
      readonly delete?: string | undefined;
      readonly patch?: string | undefined;
      /** Any other HTTP method. */
      readonly custom?: {
        /** The HTTP method; * stands for every one. */
        readonly kind: string;
        readonly path: string;
      } | undefined;
      /** The request field that the HTTP body fills; * for the whole message; left out: no body. */
      readonly body?: string | undefined;
      /** The response field that becomes the HTTP body; left out: the whole message. */
      readonly response_body?: string | undefined;
      /** Another spelling of response_body. */
      readonly responseBody?: string | undefined;
      /** More routes of the same method. */
      readonly additional_bindings?: readonly ({
        readonly get?: string | undefined;
        readonly put?: string | undefined;
        readonly post?: string | undefined;
        readonly delete?: string | undefined;
        readonly patch?: string | undefined;
        /** Any other HTTP method. */
        readonly custom?: {
          /** The HTTP method; * stands for every one. */
          readonly kind: string;
          readonly path: string;
        } | undefined;
        /** The request field that the HTTP body fills; * for the whole message; left out: no body. */
        readonly body?: string | undefined;
        /** The response field that becomes the HTTP body; left out: the whole message. */
        readonly response_body?: string | undefined;
        /** Another spelling of response_body. */
        readonly responseBody?: string | undefined;
      })[] | undefined;
      /** Another spelling of additional_bindings. */
      readonly additionalBindings?: readonly ({
        readonly get?: string | undefined;
        readonly put?: string | undefined;
        readonly post?: string | undefined;
        readonly delete?: string | undefined;
        readonly patch?: string | undefined;
        /** Any other HTTP method. */
        readonly custom?: {
          /** The HTTP method; * stands for every one. */
          readonly kind: string;
          readonly path: string;
        } | undefined;
        /** The request field that the HTTP body fills; * for the whole message; left out: no body. */
        readonly body?: string | undefined;
        /** The response field that becomes the HTTP body; left out: the whole message. */
        readonly response_body?: string | undefined;
        /** Another spelling of response_body. */
        readonly responseBody?: string | undefined;
      })[] | undefined;
    })[] | undefined;
    /** Query parameters that name no field: reject responds with 400. Default: "reject". */
    readonly unknownQuery?: "reject" | "ignore" | undefined;
    /** Fields of a JSON body that its message does not have: reject responds with 400. Default reject. Default: "reject". */
    readonly unknownFields?: "reject" | "ignore" | undefined;
    /** Whether alt, fields and prettyPrint in a query mean $alt, $fields and $prettyPrint, unless the request has a field of that name. Default: false. */
    readonly bareSystemParameters?: boolean | undefined;
    /** Whether POST with X-HTTP-Method-Override counts as a request of the method named there. Default: false. */
    readonly methodOverride?: boolean | undefined;
    /** Whether unary responses to GET have an ETag, and are 304 if the client has them. Default: true. */
    readonly etag?: boolean | undefined;
    /** Whether a response of google.protobuf.Empty is 204 without a body. Default: false. */
    readonly emptyAs204?: boolean | undefined;
    /** Whether HTML, SVG and XML of a google.api.HttpBody may be shown and run by browsers. Default false: they are downloads. Default: false. */
    readonly allowActiveContent?: boolean | undefined;
    /** Whether responses have grpc-status and grpc-message as headers. Default: false. */
    readonly statusHeaders?: boolean | undefined;
    /** The body of failures: google.rpc.Status as JSON, problem details (RFC 9457), or none. Who accepts application/problem+json gets that. Default: "status". */
    readonly errorForm?: "status" | "problem" | "empty" | undefined;
    /** Format of a stream of responses if Accept does not decide. Default: "array". */
    readonly streamFormat?: "array" | "ndjson" | "json-lines" | "sse" | "grpc-gateway" | undefined;
    /** The status if a path has routes, but none for the request's method. Default: 405. */
    readonly wrongMethodStatus?: 404 | 405 | 501 | undefined;
    /** Query parameters that are passed over even with unknownQuery: reject, unless they name fields. */
    readonly ignoredQuery?: readonly string[] | undefined;
    /** How messages print as JSON. */
    readonly print?: {
      /** Print fields without presence even if they have their default: 0, false, empty. Default false. Default: false. */
      readonly emitDefaults?: boolean | undefined;
      /** With emitDefaults: print null for messages that are not set, and proto2's scalars; members of a oneof are left out. Default: false. */
      readonly emitNulls?: boolean | undefined;
      /** Print display_name instead of displayName. Default: false. */
      readonly protoNames?: boolean | undefined;
      /** Print enums as numbers instead of names. Default: false. */
      readonly enumsAsNumbers?: boolean | undefined;
      /** Print 64-bit integers as numbers instead of strings: JavaScript loses digits beyond 2^53. Default: false. */
      readonly int64AsNumbers?: boolean | undefined;
    } | undefined;
    /** How loosely requests are read. */
    readonly read?: {
      /** Whether a body with an unknown Content-Type, or none, is read as JSON if a rule was written for its path: pages of other sites can then send it without a preflight. Default false: 415. Default: false. */
      readonly anyContentType?: boolean | undefined;
      /** Whether an Accept that nothing meets is passed over. Default false: 406. Default: false. */
      readonly anyAccept?: boolean | undefined;
      /** A body if the rule has none: reject responds with 400. Default: "reject". */
      readonly extraBody?: "reject" | "ignore" | undefined;
      /** Whether paths and queries may have 1, t, yes and their like for booleans, and durations such as 1m30s. Default: false. */
      readonly looseValues?: boolean | undefined;
      /** Whether names of enum values may be written in any case, in paths, queries and bodies. Default: false. */
      readonly anyEnumCase?: boolean | undefined;
      /** Whether + in a query is a space, as in HTML forms; false: it stands for itself. Default: true. */
      readonly plusAsSpace?: boolean | undefined;
      /** Which escapes stay in the values of path variables of several segments: slash, %2F alone; reserved, those of RFC 6570's reserved characters; none. Default: "slash". */
      readonly keptEscapes?: "slash" | "reserved" | "none" | undefined;
      /** Whether the field mask of a PATCH that names none is filled from the fields of its body. Default: true. */
      readonly fillUpdateMask?: boolean | undefined;
    } | undefined;
    /** Names of metadata as HTTP headers. */
    readonly metadata?: {
      /** Request headers that begin with it become metadata without it; the others as they are. Default: "". */
      readonly requestPrefix?: string | undefined;
      /** Headers that HTTP itself defines become metadata under this prefix too. Default: "". */
      readonly standardPrefix?: string | undefined;
      /** What the names of response metadata get in front of them. Default: "". */
      readonly responsePrefix?: string | undefined;
      /** The same for trailing metadata that becomes headers. Default: "grpc-trailer-". */
      readonly trailerPrefix?: string | undefined;
      /** Whether it is put before the names of HTTP trailers too. Default: false. */
      readonly prefixTrailers?: boolean | undefined;
    } | undefined;
    /** WebSockets for streaming methods; false switches them off. */
    readonly webSocket?: false | {
      /** Sites whose pages may open WebSockets, besides the hub's own; * stands for all. */
      readonly origins?: readonly string[] | undefined;
    } | undefined;
    /** Where the OpenAPI document of the routes is, with .json and .yaml behind it; false: nowhere. Default: "/openapi". */
    readonly openapi?: false | string | undefined;
    /** Path of the API page; false, or without the OpenAPI document: none. Default: "/docs". */
    readonly docs?: false | string | undefined;
    /** Path of the hub's health for HTTP clients, 200 or 503; false: none. Default: "/healthz". */
    readonly health?: false | string | undefined;
    /** Which pages of other sites may call (CORS). Left out: none. */
    readonly cors?: {
      /** Whose pages may call: origins as browsers write them, or * for all. */
      readonly origins: "*" | readonly string[];
      /** Request headers that pages may send; left out: those that they request. */
      readonly headers?: readonly string[] | undefined;
      /** Response headers that pages may read, in addition to those that every page may. */
      readonly exposeHeaders?: readonly string[] | undefined;
      /** How long browsers may cache a preflight's response. Default: "10m". */
      readonly maxAge?: string | undefined;
      /** Whether pages may call with the user's cookies and certificates. Default: false. */
      readonly credentials?: boolean | undefined;
    } | undefined;
    /** Whether answers of 1 KiB and more (minBytes) are compressed for clients that accept it: never for requests with cookies or from other sites, of which a compressed length may tell a secret. Default: true. */
    readonly compression?: boolean | {
      /** Smaller responses are not compressed. */
      readonly minBytes: string | number;
    } | undefined;
  } | undefined;
  /** Whether the hub serves gRPC server reflection for everything behind it. Default: true. */
  readonly reflection?: boolean | undefined;
  /** Folder in which the hub remembers what it learned by reflection, so that it can start while its services are down; relative to this file. It must exist. Left out: nothing is remembered. */
  readonly schemaCache?: string | undefined;
  /** What one client may take; docs/security.md has the sources of these limits. */
  readonly limits?: {
    /** The largest message, after decompression, where the hub reads messages (JSON calls). Default: "4MiB". */
    readonly maxMessage?: string | number | undefined;
    /** Connections that one client address may have; an IPv6 address counts with its /64, those of `trustedProxies` are not counted. Far more than one client needs, few enough that a flood from one address leaves room for others. Past it: the connection is closed. Default: 1024. */
    readonly connectionsPerAddress?: number | undefined;
    /** From a connection, or the end of its TLS handshake, to the bytes that tell its protocol; gRPC channels that connect early say theirs at once. Past it: the connection is closed. Default: "10s". */
    readonly firstBytesTimeout?: string | undefined;
    /** How long a TLS handshake may take. Past it: the connection is closed. Default: "10s". */
    readonly handshakeTimeout?: string | undefined;
    /** How long the body of an HTTP/JSON request may stand still while the hub has taken all that came. Past it: 408, and the call ends. A body that drips is bounded by the call's deadline, which runs from the head on; a gRPC call by its deadline alone, since its streams may pause. Default: "1m". */
    readonly bodyTimeout?: string | undefined;
    /** How long an HTTP/1.1 connection may be without a request; longer than the 60 s of usual load balancers, so that they close first. Past it: the connection is closed. Default: "65s". */
    readonly http1IdleTimeout?: string | undefined;
    /** What an HTTP/1.1 client must take per second, on average over `stallTimeout`, while an answer waits for it all that time; the slowest of phones takes ten times as much. An answer that makes little, as a stream of events, does not wait. Past it: the connection is closed. Default: "240". */
    readonly http1ReadRate?: string | number | undefined;
    /** How many times its packed size (Content-Encoding) the body of a stream may come to, once it is larger than a message may be; JSON and logs shrink to a tenth, zeros to a thousandth. Past it: 413, and the call ends. Default: 200. */
    readonly maxUnpackRatio?: number | undefined;
    /** Concurrent streams of a client's connection. Past it: REFUSED_STREAM, counted as a reset. Default: 256. */
    readonly maxConcurrentStreams?: number | undefined;
    /** Size of a decoded header list, plus 32 bytes for each field. Past it: fields are discarded, and the call is rejected with 431 or RESOURCE_EXHAUSTED. Default: "64KiB". */
    readonly maxHeaderList?: string | number | undefined;
    /** Number of fields in a header list; past it as above. A field of one encoded byte decodes to an object. Default: 128. */
    readonly maxHeaderFields?: number | undefined;
    /** Size of an encoded header block, checked before it is decoded or buffered. Past it: GOAWAY(ENHANCE_YOUR_CALM). Twice the header list limit, so that a list slightly too large still gets a 431. Default: "128KiB". */
    readonly maxHeaderBlock?: string | number | undefined;
    /** CONTINUATION frames of one header block. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 8. */
    readonly maxContinuations?: number | undefined;
    /** A stream's receive window. It grows from 64 KiB − 1 up to this while the stream is read, which bounds what is buffered. Default: "256KiB". */
    readonly maxStreamWindow?: string | number | undefined;
    /** Entries of one SETTINGS frame: each may affect every stream. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 32. */
    readonly maxSettingsEntries?: number | undefined;
    /** A client's reset counts when its call is younger than this and has no response. An older call held one of the concurrent streams all the time, which already bounds it. Default: "100ms". */
    readonly resetYoung?: string | undefined;
    /** Resets of such calls, resets that we send because the peer broke the protocol, and refused streams, together. A call with a response returns one. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 1000. */
    readonly resetBurst?: number | undefined;
    /** Refill rate of the reset budget. Default: 33. */
    readonly resetsPerSecond?: number | undefined;
    /** PINGs, each of which requires an ACK. Each HEADERS or DATA frame, in either direction, earns one, because bandwidth probes follow data. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 200. */
    readonly pingBurst?: number | undefined;
    /** Refill rate of the PING budget. Keepalive needs a tenth of one. Default: 10. */
    readonly pingsPerSecond?: number | undefined;
    /** SETTINGS frames, each of which requires an ACK. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 100. */
    readonly settingsBurst?: number | undefined;
    /** Refill rate of the SETTINGS budget. gRPC sends some when its window grows. Default: 10. */
    readonly settingsPerSecond?: number | undefined;
    /** Empty DATA frames without END_STREAM (grpc-go ends a request with an empty one that has it). Each HEADERS frame and each DATA frame with data earns one. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 100. */
    readonly emptyDataBurst?: number | undefined;
    /** Refill rate of the budget for empty DATA frames. Default: 10. */
    readonly emptyDataPerSecond?: number | undefined;
    /** PRIORITY frames and frames of unknown types, which are ignored. Each stream earns four. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 200. */
    readonly priorityBurst?: number | undefined;
    /** Refill rate of the PRIORITY budget. Default: 20. */
    readonly prioritiesPerSecond?: number | undefined;
    /** WINDOW_UPDATE frames. Each stream earns four, and each HEADERS or DATA frame that we send earns ten, unless the peer's window cut it below 64 bytes. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 1000. */
    readonly windowUpdateBurst?: number | undefined;
    /** Refill rate of the WINDOW_UPDATE budget. Default: 100. */
    readonly windowUpdatesPerSecond?: number | undefined;
    /** HEADERS and RST_STREAM on closed streams. Honest ones crossed our reset; any others are an attack. Each stream earns four. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: 1000. */
    readonly lateBurst?: number | undefined;
    /** Refill rate of the budget for late frames. Default: 100. */
    readonly latePerSecond?: number | undefined;
    /** Output other than DATA buffered for a peer that does not read: PING and SETTINGS ACKs, resets, headers. Past it: the connection is closed. Default: "4MiB". */
    readonly maxUnread?: string | number | undefined;
    /** DATA buffered for one connection: 256 streams times 256 KiB, so that senders that respect flow control never reach it. Past it: the largest streams are reset with ENHANCE_YOUR_CALM, slow ones first, then those without window. Default: "64MiB". */
    readonly maxQueued?: string | number | undefined;
    /** DATA and HTTP/1.1 responses buffered for all connections together. Past it: streams whose peers would need more than a minute for their backlog are reset, on any connection; then as above, on the connection with the largest backlog; an HTTP/1.1 connection is closed. Default: "256MiB". */
    readonly maxProcessQueued?: string | number | undefined;
    /** How long buffered DATA of a stream may make no progress, as when the peer gives no window. Past it: the stream is reset with CANCEL. On HTTP/1.1 and WebSockets the same holds for a response, and the connection is closed. Default: "5m". */
    readonly stallTimeout?: string | undefined;
    /** From accepting a client's connection to its preface and SETTINGS. There is no limit for the first request: gRPC channels connect before they are needed. Past it: GOAWAY(SETTINGS_TIMEOUT). Default: "10s". */
    readonly settingsTimeout?: string | undefined;
    /** From the first to the last byte of a header block, or of any frame except DATA. Past it: GOAWAY(ENHANCE_YOUR_CALM). Default: "10s". */
    readonly headersTimeout?: string | undefined;
    /** How long a client's connection may be idle (no stream). Past it: it is drained. Default: "1h". */
    readonly idleTimeout?: string | undefined;
    /** Keepalive: after this time without a byte from the peer a PING is sent. Toward a service only while there are calls, once after 20 s when calls were sent since, and never more often than this: gRPC servers close connections that ping more often. Default: "5m". */
    readonly keepaliveTime?: string | undefined;
    /** How long the PING's ACK may take. Past it: the connection is closed. Default: "20s". */
    readonly keepaliveTimeout?: string | undefined;
    /** Maximum age of a client's connection, with ±10 % jitter. Past it: it is drained in two steps, so that clients spread over new instances and no call is lost. Default: "none". */
    readonly maxAge?: string | undefined;
    /** Grace period for the calls of a connection drained for its age. Past it: they are cancelled. Default: "none". */
    readonly maxAgeGrace?: string | undefined;
  } | undefined;
  /** What error messages reveal. */
  readonly errors?: {
    /** Who receives hints, which help to find an error, but reveal internals (nearest routes, addresses of endpoints); auto: callers on this machine and those who have proved who they are. Default: "auto". */
    readonly hints?: "auto" | "always" | "never" | undefined;
  } | undefined;
  /** When the hub is ready. It takes calls meanwhile. */
  readonly readiness?: {
    /** How long after its start the hub is not ready (readyz, health) because an upstream has never been learned; 0s: not at all, none: until each has been. Default: "30s". */
    readonly wait?: string | undefined;
  } | undefined;
  /** How the hub leaves. */
  readonly drain?: {
    /** How long the hub still accepts connections and calls after SIGTERM or SIGINT, while its readiness and health say that it is leaving, so that load balancers stop sending to it first. Default: "0s". */
    readonly delay?: string | undefined;
    /** How long all of it may take, the delay included; calls that still run then are cut off. Kubernetes kills after 30 s. Default: "25s". */
    readonly grace?: string | undefined;
  } | undefined;
}
