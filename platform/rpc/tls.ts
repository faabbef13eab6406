import { ChannelCredentials, ServerCredentials } from "@grpc/grpc-js";

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

export function channelCredentials(tls: TlsOptions | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  return ChannelCredentials.createSsl(bytes(tls.caPem), bytes(tls.keyPem), bytes(tls.certPem));
}
