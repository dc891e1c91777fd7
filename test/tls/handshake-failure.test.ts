// The names that OpenSSL and Node have for failed handshakes, as labels; test/downstream/accept/tls.test.ts has real ones.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { failureOf, HANDSHAKE_FAILURES, type HandshakeFailure } from "#src/tls/handshake-failure.js";

const NAMES: Readonly<Record<HandshakeFailure, readonly string[]>> = {
  client_certificate: [
    "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "CERT_HAS_EXPIRED",
    "CERT_NOT_YET_VALID",
    "CERT_SIGNATURE_FAILURE",
    "INVALID_PURPOSE",
    "ERR_SSL_CERTIFICATE_VERIFY_FAILED",
  ],
  server_certificate: [
    "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
    "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
    "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN",
    "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN",
  ],
  no_agreement: [
    "ERR_SSL_NO_SHARED_CIPHER",
    "ERR_SSL_UNSUPPORTED_PROTOCOL",
    "ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
    "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
  ],
  timeout: ["ERR_TLS_HANDSHAKE_TIMEOUT"],
  reset: ["ECONNRESET", "EPIPE"],
  other: [
    "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "ERR_SSL_UNEXPECTED_MESSAGE",
    "",
    "made up by a client",
  ],
};

describe("a handshake that failed", () => {
  for (const why of HANDSHAKE_FAILURES) {
    for (const name of NAMES[why])
      it(`for ${JSON.stringify(name)} counts as ${why}`, () => assert.equal(failureOf(name), why));
  }
});
