// An issuer of tokens: keys of every kind, tokens signed with them, and an HTTP server on loopback that shows the keys.
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, type JWK, SignJWT } from "jose";

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly pair: GenerateKeyPairResult;
  /** Public. */
  readonly jwk: JWK;
}

export async function signingKey(kid: string, alg = "ES256"): Promise<SigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, pair, jwk: { ...(await exportJWK(pair.publicKey)), kid, alg, use: "sig" } };
}

export type Claims = Readonly<Record<string, unknown>>;
/** Over or in place of the header's own fields; undefined takes one out. */
export type TokenHeader = Readonly<Record<string, string | undefined>>;

/** A token of these claims as they are. */
export async function tokenOf(key: SigningKey, claims: Claims, header: TokenHeader = {}): Promise<string> {
  const all = Object.entries({ kid: key.kid, typ: "JWT", ...header });
  const others = Object.fromEntries(all.filter(([, value]) => value !== undefined));
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: key.alg, ...others }).sign(key.pair.privateKey);
}

export class Issuer {
  private keys: readonly JWK[];
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  /** Takes the place of the ordinary answer. */
  private misbehave: RequestListener | undefined = undefined;
  cacheControl: string | undefined = undefined;
  url = "";
  /** In the discovery document; default: this server's. */
  jwksUri: string | undefined = undefined;
  private readonly server: Server;

  constructor(keys: readonly SigningKey[]) {
    this.keys = keys.map(({ jwk }) => jwk);
    this.server = createServer((request, response) => {
      this.asked.push(request.url ?? "");
      if (this.misbehave !== undefined) {
        this.misbehave(request, response);
        return;
      }
      if (this.cacheControl !== undefined) response.setHeader("cache-control", this.cacheControl);
      response.setHeader("content-type", "application/json");
      if (request.url === "/jwks") response.end(JSON.stringify({ keys: this.keys }));
      else if (request.url === "/.well-known/openid-configuration")
        response.end(JSON.stringify({ issuer: this.url, jwks_uri: this.jwksUri ?? `${this.url}/jwks` }));
      else response.writeHead(404).end();
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  /** Answers in another way from now on; undefined: as it should again. */
  spoil(misbehave: RequestListener | undefined): void {
    this.misbehave = misbehave;
  }

  show(keys: readonly JWK[]): void {
    this.keys = keys;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
