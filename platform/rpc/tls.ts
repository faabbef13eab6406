import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";

/** Certificate, key and authority, each as PEM text. With an authority both sides prove who they are. */
export interface TlsOptions {
  certPem?: string;
  keyPem?: string;
  caPem?: string;
}

function bytes(pem: string | undefined): Buffer | null {
  return pem === undefined || pem === "" ? null : Buffer.from(pem);
}

/** @throws Error when only one of certificate and key is given. */
export function serverCredentials(tls: TlsOptions | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const [cert_chain, private_key, authority] = [bytes(tls.certPem), bytes(tls.keyPem), bytes(tls.caPem)];
  if (cert_chain === null || private_key === null) throw new Error("TLS needs both certPem and keyPem");
  return ServerCredentials.createSsl(authority, [{ cert_chain, private_key }], authority !== null);
}

/**
 * How a client secures a socket to one address of a host; undefined for plaintext. The certificate must be the
 * host's, be it a name or an address.
 */
export function clientSecurity(tls: TlsOptions | undefined, host: string): ConnectionOptions | undefined {
  if (tls === undefined) return undefined;
  const name = host.replace(/^\[|\]$/g, "");
  const [ca, cert, key] = [tls.caPem, tls.certPem, tls.keyPem].map((pem) => (pem === "" ? undefined : pem));
  // TLS sends no address as the server's name (RFC 6066): Node checks the certificate for what it connects to then.
  return { ca, cert, key, ...(isIP(name) === 0 ? { servername: name } : {}) };
}
