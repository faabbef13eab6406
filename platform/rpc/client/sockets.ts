import type { Socket } from "node:net";
import type { ChannelCredentials } from "@grpc/grpc-js";

/** The sockets of a channel whose peer has not said anything yet. */
export interface SilentSockets {
  destroy(): void;
}

/**
 * Keeps account of the sockets that credentials are asked to secure. Closing a channel leaves alone a
 * socket on which the peer never answered, so each new beginning would cost one more, for as long as
 * the peer is silent.
 */
export function trackSilentSockets(credentials: ChannelCredentials): SilentSockets {
  const sockets = new Set<Socket>();
  const createConnector = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...args) => {
    const connector = createConnector(...args);
    const connect = connector.connect.bind(connector);
    connector.connect = (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      return connect(socket);
    };
    return connector;
  };
  return {
    destroy() {
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      sockets.clear();
    },
  };
}
