import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Kafka, type KafkaConfig, logLevel } from "kafkajs";
import { freePort } from "../../support/free-port.ts";
import { kafkaTestConfig } from "./config.ts";

const execute = promisify(execFile);
const SMALLEST_JAVA = 17;
const FETCH_TIMEOUT_MS = 300_000;
/** Between two looks for an answer of a server that is starting; it takes about 5 s. */
const LOOK_AGAIN_MS = 200;
const LOOKS = 300;
/** Of one look: who answers nothing may be another than the server that is starting. */
const LOOK_TIMEOUT_MS = 5_000;
/** A port that was free may be another test's when the server comes to it, seconds later. */
const STARTS = 3;

export interface RunningKafka {
  /** For `KAFKA_BROKERS`: host and port. */
  readonly brokers: string;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

export interface RunningApacheKafka extends RunningKafka {
  readonly pid: number;
}

/** What clients must prove themselves by, over TLS. */
export interface KafkaLogin {
  certPem: string;
  keyPem: string;
  /** Authority of the certificate. */
  caPem: string;
  username: string;
  password: string;
}

export interface ApacheKafka {
  readonly version: string;
  /**
   * Starts a server of one node with no data, on free ports of 127.0.0.1, and waits until groups can use it.
   *
   * @param login With it the server takes nobody but over TLS and with this name, by PLAIN or either SCRAM.
   */
  start(login?: KafkaLogin): Promise<RunningApacheKafka>;
}

/** Why Apache Kafka cannot be had here, in a sentence, or undefined when it can. */
export async function whyNoApacheKafka(): Promise<string | undefined> {
  const java = await execute("java", ["-version"]).catch(() => undefined);
  if (java === undefined) return "there is no java on the path";
  const major = Number(/version "(\d+)/.exec(java.stderr)?.[1] ?? 0);
  if (major < SMALLEST_JAVA) return `java is version ${major}, and Apache Kafka needs ${SMALLEST_JAVA}`;
  if (fs.existsSync(kafkaTestConfig.libraryDirectory)) return undefined;
  const maven = await execute("mvn", ["-version"]).catch(() => undefined);
  if (maven === undefined) return `there is no mvn on the path, and no jars in ${kafkaTestConfig.libraryDirectory}`;
  try {
    await fetchLibraries(kafkaTestConfig.libraryDirectory);
    return undefined;
  } catch (error) {
    return `mvn could not fetch Apache Kafka: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * The Apache Kafka that the tests compare with, fetched through Maven the first time (46 jars, 44 MB), or undefined
 * where that is not possible; the reason is written to standard error then.
 */
export async function findApacheKafka(): Promise<ApacheKafka | undefined> {
  const reason = await whyNoApacheKafka();
  if (reason !== undefined) {
    process.stderr.write(`Apache Kafka is left out: ${reason}\n`);
    return undefined;
  }
  const jars = fs.readdirSync(kafkaTestConfig.libraryDirectory);
  const version = jars.map((name) => /^kafka-clients-(.+)\.jar$/.exec(name)?.[1]).find((found) => found !== undefined);
  return { version: version ?? "unknown", start: startKafka };
}

/** Fetched beside and moved into place, so that two test files at once, or an interrupted one, leave it whole. */
async function fetchLibraries(directory: string): Promise<void> {
  fs.mkdirSync(path.dirname(directory), { recursive: true });
  const temporary = fs.mkdtempSync(`${directory}-`);
  const pom = path.join(import.meta.dirname, "pom.xml");
  const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${temporary}`];
  try {
    await execute("mvn", ["-q", "-B", "-f", pom, ...goal], { timeout: FETCH_TIMEOUT_MS });
    fs.renameSync(temporary, directory);
  } catch (error) {
    if (!fs.existsSync(directory)) throw error; // Another test file was first.
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

/** The server ended before it was ready. */
class EndedEarly extends Error {}

async function startKafka(login?: KafkaLogin): Promise<RunningApacheKafka> {
  for (let start = 1; ; start += 1) {
    try {
      return await startOnFreePorts(login);
    } catch (error) {
      const ended = error instanceof Error && error.cause instanceof EndedEarly;
      if (!ended || start === STARTS) throw error;
    }
  }
}

/** Settings that take the place of the plaintext listener, for Java's reader of properties. */
function securedSettings({ certPem, keyPem, caPem, username, password }: KafkaLogin): string {
  const value = (pem: string) => pem.trim().replaceAll("\n", "\\n");
  const plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const login = `username="${username}" password="${password}" user_${username}="${password}"`;
  return Object.entries({
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "listener.name.sasl_ssl.plain.sasl.jaas.config": `${plain} ${login};`,
    "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": scram,
    "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
    "ssl.keystore.type": "PEM",
    "ssl.keystore.certificate.chain": value(certPem),
    "ssl.keystore.key": value(keyPem),
    "ssl.truststore.type": "PEM",
    "ssl.truststore.certificates": value(caPem),
  })
    .map(([name, setting]) => `${name}=${setting}\n`)
    .join("");
}

/** How StorageTool is told of somebody who may log in by SCRAM. */
function scramUsers({ username, password }: KafkaLogin): string[] {
  return ["256", "512"].flatMap((bits) => ["--add-scram", `SCRAM-SHA-${bits}=[name=${username},password=${password}]`]);
}

async function startOnFreePorts(login?: KafkaLogin): Promise<RunningApacheKafka> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ferry-apache-kafka-"));
  const [brokerPort, controllerPort] = await Promise.all([freePort(), freePort()]);
  const properties = path.join(directory, "server.properties");
  const template = fs.readFileSync(path.join(import.meta.dirname, "server.properties"), "utf8");
  const data = path.join(directory, "data");
  const settings = template
    .replaceAll("PROTOCOL", login === undefined ? "PLAINTEXT" : "SASL_SSL")
    .replaceAll("CONTROLLER_PORT", String(controllerPort))
    .replaceAll("BROKER_PORT", String(brokerPort))
    .replace("log.dirs=LOG_DIRECTORY", `log.dirs=${data}`);
  fs.writeFileSync(properties, login === undefined ? settings : settings + securedSettings(login));
  const classes = ["-cp", path.join(kafkaTestConfig.libraryDirectory, "*")];
  const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
  const clusterId = randomBytes(16).toString("base64url");
  const format = ["kafka.tools.StorageTool", "format", "-t", clusterId, "-c", properties, "--ignore-formatted"];
  if (login !== undefined) format.push(...scramUsers(login));
  await execute("java", ["-Xmx128m", "-XX:TieredStopAtLevel=1", ...classes, quiet, ...format]);

  const output = fs.openSync(path.join(directory, "kafka.out"), "w");
  const memory = ["-Xms64m", "-Xmx256m", "-XX:MaxDirectMemorySize=128m", "-XX:+UseSerialGC", "-Xshare:auto"];
  const server = spawn("java", [...memory, ...classes, quiet, "kafka.Kafka", properties], {
    stdio: ["ignore", output, output],
  });
  fs.closeSync(output);
  const killWithTests = () => server.kill("SIGKILL");
  process.once("exit", killWithTests);
  const stop = async () => {
    await end(server);
    process.off("exit", killWithTests);
    fs.rmSync(directory, { recursive: true, force: true });
  };
  const brokers = `127.0.0.1:${brokerPort}`;
  try {
    await Promise.race([waitUntilReady(brokers, server, login), failAtEnd(server)]);
  } catch (error) {
    const said = fs.readFileSync(path.join(directory, "kafka.out"), "utf8").slice(-2000);
    await stop();
    throw new Error(`Apache Kafka did not start: ${String(error)}\n${said}`, { cause: error });
  }
  return { brokers, pid: server.pid ?? 0, stop };
}

function failAtEnd(server: ChildProcess): Promise<never> {
  return new Promise((_, fail) => server.once("exit", (code) => fail(new EndedEarly(`it ended with ${code}`))));
}

/** An open port is not ready: the server must know itself and be able to coordinate a group. */
async function waitUntilReady(brokers: string, server: ChildProcess, login?: KafkaLogin): Promise<void> {
  const settings: Partial<KafkaConfig> = {
    ...{ logLevel: logLevel.NOTHING, requestTimeout: LOOK_TIMEOUT_MS, retry: { retries: 0 } },
    ssl: login && { ca: login.caPem },
    sasl: login && { mechanism: "plain", username: login.username, password: login.password },
  };
  for (let look = 0; look < LOOKS && server.exitCode === null; look += 1) {
    const kafka = new Kafka({ brokers: [brokers], ...settings });
    const admin = kafka.admin();
    try {
      await admin.connect();
      await admin.describeCluster();
      await admin.fetchOffsets({ groupId: "ferry-is-kafka-ready" });
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    } finally {
      await admin.disconnect().catch(() => {});
    }
  }
  throw new Error("it did not answer in time");
}

function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return Promise.resolve();
  // Its data is thrown away, so it need not be written in order.
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  server.kill("SIGKILL");
  return ended;
}
