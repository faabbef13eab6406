import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Somebody's server that takes webhooks, and remembers of which transfers it has heard. */
export class WebhookReceiver {
  /** Ids of transfers that came, each at least once. */
  readonly heard = new Set<string>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<WebhookReceiver> {
    const server = createServer();
    const receiver = new WebhookReceiver(server);
    server.on("request", (request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("error", () => {}); // Its sender was killed.
      request.on("end", () => {
        const { data } = JSON.parse(body) as { data: { transfer?: { id?: string } } };
        if (data.transfer?.id !== undefined) receiver.heard.add(data.transfer.id);
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
