import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { ExtendedKeyUsage, Issuer, KeyUsage } from '../../libs/base/keys.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { type HarnessRun, startRun } from './harness-run.ts';
import type { NetworkHost } from './namespace.ts';
import { RunningProgram, until } from './process.ts';
import { findEtcd } from './requirements.ts';

export interface EtcdOptions {
  /** How many members the cluster has; default 1. */
  readonly members?: number;
  /** Whether clients must speak TLS and show a certificate; default false. */
  readonly tls?: boolean;
  /** The host of a network that it runs in; default this machine's loopback, on free ports. */
  readonly host?: NetworkHost;
  /** Whether a write is on disk when it is acknowledged; default true. */
  readonly fsync?: boolean;
  /** More flags, as `--quota-backend-bytes=…`. */
  readonly flags?: readonly string[];
}

export interface EtcdTls {
  readonly caFile: string;
  /** A client's, user `root`. */
  readonly certificateFile: string;
  readonly keyFile: string;
}

interface Addresses {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
}

/** One process of an etcd. It keeps its data until the etcd is disposed of. */
export class EtcdMember {
  readonly name: string;
  /** `http://127.0.0.1:40123` */
  readonly endpoint: string;
  readonly #start: () => RunningProgram;
  readonly #dataFolder: string;
  #process: RunningProgram | undefined;

  constructor(addresses: Addresses, dataFolder: string, start: () => RunningProgram) {
    this.name = addresses.name;
    this.endpoint = addresses.client;
    this.#dataFolder = dataFolder;
    this.#start = start;
  }

  get output(): string {
    return this.#process?.output ?? '';
  }

  /** Starts the process; resolves when it serves clients, which a member of several does once most of them run. */
  async start(timeoutMs = 15_000): Promise<void> {
    if (this.#process?.running === true) throw new Error(`etcd member ${this.name} runs already`);
    this.#process = this.#start();
    await this.#process.waitFor('ready to serve client requests', timeoutMs);
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** SIGKILL, as a machine that loses its power, but for what the kernel still writes. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#process?.wait();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Stops answering without closing anything, until `resume`. */
  async pause(): Promise<void> {
    const running = this.#process;
    if (running?.running !== true) throw new Error(`etcd member ${this.name} does not run`);
    running.kill('SIGSTOP');
    // Every thread takes its own time to stop.
    await until('every thread is stopped', () =>
      readdirSync(`/proc/${running.pid}/task`).every((thread) =>
        /\) T /.test(readFileSync(`/proc/${running.pid}/task/${thread}/stat`, 'latin1')),
      ),
    );
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Forgets everything; the member must not run. */
  wipe(): void {
    if (this.#process?.running === true) throw new Error(`etcd member ${this.name} runs`);
    rmSync(this.#dataFolder, { recursive: true, force: true });
  }
}

/** An etcd for tests, of one or several members. */
export class Etcd implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly tls: EtcdTls | undefined;
  readonly #run: HarnessRun;

  constructor(members: readonly EtcdMember[], tls: EtcdTls | undefined, run: HarnessRun) {
    this.members = members;
    this.tls = tls;
    this.#run = run;
  }

  get endpoints(): string[] {
    return this.members.map((member) => member.endpoint);
  }

  async start(): Promise<void> {
    await Promise.all(this.members.map((member) => member.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }

  async kill(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Ends all members and removes their data. */
  dispose(): Promise<void> {
    return this.#run.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** As many ports of loopback as are asked for, free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function issueCertificates(folder: string, address: string): Promise<{ client: EtcdTls; server: EtcdTls }> {
  const keys = new NodeKeys();
  const notBeforeMs = Date.now() - 3_600_000;
  const notAfterMs = Date.now() + 24 * 3_600_000;
  const issue = async (
    commonName: string,
    usages: readonly (KeyUsage | ExtendedKeyUsage)[],
    issuer?: Issuer,
  ): Promise<Issuer> => {
    const key = await keys.generateKey(commonName);
    const certificatePem = await keys.issueCertificate(
      {
        subject: { commonName },
        names: { dns: ['localhost'], ip: ['127.0.0.1', address] },
        publicKey: key,
        isCertificateAuthority: issuer === undefined,
        usages,
        notBeforeMs,
        notAfterMs,
      },
      issuer,
    );
    writeFileSync(join(folder, `${commonName}.crt`), certificatePem);
    writeFileSync(join(folder, `${commonName}.key`), key.privateKeyPem(), { mode: 0o600 });
    return { key, certificatePem };
  };
  const authority = await issue('etcd-ca', ['cert sign']);
  // etcd's own gateway is a client of its server, with the server's certificate.
  await issue('etcd', ['digital signature', 'server auth', 'client auth'], authority);
  await issue('root', ['digital signature', 'client auth'], authority);
  const files = (name: string): EtcdTls => ({
    caFile: join(folder, 'etcd-ca.crt'),
    certificateFile: join(folder, `${name}.crt`),
    keyFile: join(folder, `${name}.key`),
  });
  return { client: files('root'), server: files('etcd') };
}

/** Starts an etcd (see `findEtcd`) and resolves when every member serves clients. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const program = findEtcd();
  if (program === undefined) throw new Error('no etcd');
  const { host, fsync = true, flags = [] } = options;
  const count = options.members ?? 1;
  const run = await startRun();
  try {
    const address = host?.address ?? '127.0.0.1';
    const ports =
      host === undefined ? await freePorts(2 * count) : Array.from({ length: 2 * count }, (_, index) => 2379 + index);
    const certificates = options.tls === true ? await issueCertificates(run.folder, address) : undefined;
    const scheme = certificates === undefined ? 'http' : 'https';
    const all: Addresses[] = Array.from({ length: count }, (_, index) => ({
      name: `etcd-${index + 1}`,
      client: `${scheme}://${address}:${ports[2 * index]}`,
      peer: `http://${address}:${ports[2 * index + 1]}`,
    }));
    const members = all.map((one) => {
      const dataFolder = join(run.folder, one.name);
      const argv = [
        program,
        `--name=${one.name}`,
        `--data-dir=${dataFolder}`,
        `--listen-client-urls=${one.client}`,
        `--advertise-client-urls=${one.client}`,
        `--listen-peer-urls=${one.peer}`,
        `--initial-advertise-peer-urls=${one.peer}`,
        `--initial-cluster=${all.map((other) => `${other.name}=${other.peer}`).join(',')}`,
        `--unsafe-no-fsync=${!fsync}`,
        // Alone it has nobody to wait for before it leads again.
        ...(count === 1 ? ['--heartbeat-interval=10', '--election-timeout=100'] : []),
        ...(certificates === undefined
          ? []
          : [
              `--cert-file=${certificates.server.certificateFile}`,
              `--key-file=${certificates.server.keyFile}`,
              `--trusted-ca-file=${certificates.server.caFile}`,
              '--client-cert-auth',
            ]),
        ...flags,
      ];
      const started = { env: run.env, logFile: join(run.folder, `${one.name}.log`) };
      return new EtcdMember(one, dataFolder, () => {
        mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
        return host === undefined ? new RunningProgram(argv, started) : host.spawn(argv, started);
      });
    });
    const etcd = new Etcd(members, certificates?.client, run);
    await etcd.start();
    return etcd;
  } catch (error) {
    await run.dispose();
    throw error;
  }
}

/** What a client of TLS needs, read. */
export function readTls(tls: EtcdTls): { ca: string; cert: string; key: string } {
  const read = (path: string): string => readFileSync(path, 'utf8');
  return { ca: read(tls.caFile), cert: read(tls.certificateFile), key: read(tls.keyFile) };
}
