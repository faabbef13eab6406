import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What came to an address of its own. */
export interface Visits {
  url: string;
  /** Whether the answer is 410, for good. */
  isGone: boolean;
  refused: number;
  taken: number;
}

/** Somebody's server that takes webhooks, and remembers of which transfers it has heard. */
export class WebhookReceiver {
  /** Ids of transfers that came, each at least once. */
  readonly heard = new Set<string>();
  readonly #server: Server;
  readonly #visits = new Map<string, Visits>();

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
      request.on("end", () => response.writeHead(receiver.#take(request.url ?? "", body)).end());
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return receiver;
  }

  get url(): string {
    return this.#urlOf("/hooks");
  }

  /** An address of its own, that is gone. */
  moveOut(): Visits {
    const path = `/hooks/${randomUUID()}`;
    const visits = { url: this.#urlOf(path), isGone: true, refused: 0, taken: 0 };
    this.#visits.set(path, visits);
    return visits;
  }

  forget({ url }: Visits): void {
    this.#visits.delete(new URL(url).pathname);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** @returns the status of the answer. */
  #take(path: string, body: string): number {
    const visits = this.#visits.get(path);
    if (visits?.isGone) {
      visits.refused++;
      return 410;
    }
    if (visits !== undefined) visits.taken++;
    const { data } = JSON.parse(body) as { data: { transfer?: { id?: string } } };
    if (data.transfer?.id !== undefined) this.heard.add(data.transfer.id);
    return 204;
  }

  #urlOf(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }
}
