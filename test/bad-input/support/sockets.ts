import { connect } from "node:net";
import type { Refusal } from "./edge.ts";

/** Sends bytes as they are, and gives the answer when the connection is closed, with its headers in small letters. */
export function talk(port: number, bytes: string): Promise<Refusal & { head: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<Refusal & { head: string }>();
  const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", reject).on("close", () => {
    const [head = "", body = ""] = text.split("\r\n\r\n");
    const contentType = /^content-type: (.*)$/im.exec(head)?.[1] ?? "";
    resolve({ status: Number(head.split(" ")[1]), head: head.toLowerCase(), contentType: contentType.trim(), body });
  });
  return promise;
}

/** A body that does not say its length. */
export async function* endlessSpaces(bytes: number): AsyncGenerator<Uint8Array> {
  const piece = new TextEncoder().encode(" ".repeat(65_536));
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}
