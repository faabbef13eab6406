import { isIP } from "node:net";
import { type PeerCertificate, checkServerIdentity as verifyServerIdentity } from "node:tls";
import { ChannelCredentials, type ChannelOptions, ServerCredentials } from "@grpc/grpc-js";

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

/** Credentials and engine options for a channel to a host. The certificate must be the host's, be it a name or an address. */
export function channelSecurity(
  tls: TlsOptions | undefined,
  host: string,
): { credentials: ChannelCredentials; options: ChannelOptions } {
  if (tls === undefined) return { credentials: ChannelCredentials.createInsecure(), options: {} };
  const { caPem, keyPem, certPem } = tls;
  const address = host.replace(/^\[|\]$/g, "");
  const parts = [bytes(caPem), bytes(keyPem), bytes(certPem)] as const;
  if (isIP(address) === 0) return { credentials: ChannelCredentials.createSsl(...parts), options: {} };
  // TLS sends no address as the server's name (RFC 6066) and Node refuses to, but the engine would:
  // some name is sent, and the certificate is checked for the address.
  const checkServerIdentity = (_name: string, certificate: PeerCertificate) =>
    verifyServerIdentity(address, certificate);
  return {
    credentials: ChannelCredentials.createSsl(...parts, { checkServerIdentity }),
    options: { "grpc.ssl_target_name_override": "localhost" },
  };
}
