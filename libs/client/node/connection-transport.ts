import type { Clock } from '../../base/clock.ts';
import type { Files } from '../../base/host.ts';
import type { KubeconfigConnection, Located } from '../../pki/kubeconfig-connection.ts';
import { type HttpsTransport, httpsTransport } from './https-transport.ts';

export interface ConnectionTransportOptions {
  readonly files: Files;
  /** The folder of the kubeconfig: file names in it are relative to that. */
  readonly folder: string;
  readonly clock: Clock;
  readonly userAgent?: string;
}

/** A token's file is read again at most this often: it is replaced long before the token expires. */
const TOKEN_FILE_MS = 60_000;

/** What a kubeconfig asks for and this transport cannot do. */
export class UnsupportedConnectionError extends Error {
  constructor(what: string) {
    super(`the kubeconfig asks for ${what}, which this client does not do`);
    this.name = 'UnsupportedConnectionError';
  }
}

/**
 * The transport that a kubeconfig's context describes: `parseKubeconfig(text).connection()` → a way to the cluster.
 * Reads the files that it names; a file that is not there is an error with its `code`. Throws
 * `UnsupportedConnectionError` for credentials by a program and for proxies.
 */
export async function connectionTransport(
  connection: KubeconfigConnection,
  options: ConnectionTransportOptions,
): Promise<HttpsTransport> {
  if (connection.exec) throw new UnsupportedConnectionError('credentials made by a program (exec)');
  if (connection.proxyUrl) throw new UnsupportedConnectionError('a proxy (proxy-url)');
  if (connection.basic) throw new UnsupportedConnectionError('a password, which API servers no longer take');
  const read = (located: Located | undefined) => readPem(located, options);
  const [caPem, certificatePem, privateKeyPem] = await Promise.all([
    read(connection.ca),
    read(connection.clientCertificate),
    read(connection.clientKey),
  ]);
  const token = connection.tokenFile
    ? await tokenOfFile(pathIn(options.folder, connection.tokenFile), options)
    : () => connection.token;
  return httpsTransport({
    server: connection.server,
    clock: options.clock,
    token,
    insecureSkipTlsVerify: connection.insecureSkipTlsVerify,
    ...(caPem ? { caPem } : {}),
    ...(connection.tlsServerName ? { tlsServerName: connection.tlsServerName } : {}),
    ...(certificatePem && privateKeyPem ? { certificate: () => ({ certificatePem, privateKeyPem }) } : {}),
    ...(options.userAgent ? { userAgent: options.userAgent } : {}),
    ...(connection.impersonate ? { headers: { 'impersonate-user': connection.impersonate } } : {}),
  });
}

/** Where a pod finds its cluster, and what it may say there. */
export const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The connection of a process in a pod, by the environment that kubelets give; undefined outside of a pod. */
export function inClusterConnection(
  environment: Readonly<Record<string, string | undefined>>,
): KubeconfigConnection | undefined {
  const host = environment.KUBERNETES_SERVICE_HOST;
  const port = environment.KUBERNETES_SERVICE_PORT;
  if (!host || !port) return undefined;
  return {
    context: 'in-cluster',
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: undefined,
    ca: { file: `${SERVICE_ACCOUNT_FOLDER}/ca.crt` },
    insecureSkipTlsVerify: false,
    tlsServerName: undefined,
    proxyUrl: undefined,
    clientCertificate: undefined,
    clientKey: undefined,
    token: undefined,
    tokenFile: `${SERVICE_ACCOUNT_FOLDER}/token`,
    basic: undefined,
    impersonate: undefined,
    exec: undefined,
  };
}

async function readPem(
  located: Located | undefined,
  { files, folder }: ConnectionTransportOptions,
): Promise<string | undefined> {
  if (!located) return undefined;
  return 'pem' in located ? located.pem : files.readText(pathIn(folder, located.file));
}

const pathIn = (folder: string, file: string): string => (file.startsWith('/') ? file : `${folder}/${file}`);

/** The token in a file, read anew in the background; one that cannot be read leaves the former in place. */
async function tokenOfFile(path: string, { files, clock }: ConnectionTransportOptions): Promise<() => string> {
  let token = (await files.readText(path)).trim();
  let readMs = clock.monotonic();
  return () => {
    if (clock.monotonic() - readMs >= TOKEN_FILE_MS) {
      readMs = clock.monotonic();
      files.readText(path).then(
        (text) => {
          token = text.trim() || token;
        },
        () => {},
      );
    }
    return token;
  };
}
