import { decodeBase64 } from '../base/base64.ts';

/** Where something is: in the kubeconfig itself, or in a file (as written there: relative to the kubeconfig's folder). */
export type Located = { readonly pem: string } | { readonly file: string };

/** How to reach a cluster, and as whom. What is not there was not said. */
export interface KubeconfigConnection {
  readonly context: string;
  readonly server: string;
  readonly namespace: string | undefined;
  readonly ca: Located | undefined;
  readonly insecureSkipTlsVerify: boolean;
  /** Checked in the server's certificate in place of the host of `server`. */
  readonly tlsServerName: string | undefined;
  readonly proxyUrl: string | undefined;
  readonly clientCertificate: Located | undefined;
  readonly clientKey: Located | undefined;
  readonly token: string | undefined;
  /** Read anew from time to time; comes before `token`. */
  readonly tokenFile: string | undefined;
  readonly basic: { readonly username: string; readonly password: string } | undefined;
  readonly impersonate: string | undefined;
  /** A program that gives credentials (`client.authentication.k8s.io`), as it stands there; running it is the caller's. */
  readonly exec: Readonly<Record<string, unknown>> | undefined;
}

type Fields = Record<string, unknown>;

/** Puts one context's three parts together. `fail` makes the error for a field of the wrong form. */
export function connectionOf(
  context: string,
  parts: { readonly context: Fields; readonly cluster: Fields; readonly user: Fields },
  fail: (message: string) => Error,
): KubeconfigConnection {
  const text = (fields: Fields, key: string): string | undefined => {
    const value = fields[key];
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value !== 'string') throw fail(`${key} of the kubeconfig's context ${context} is no string`);
    return value;
  };
  const located = (fields: Fields, key: string): Located | undefined => {
    const data = text(fields, `${key}-data`);
    const file = text(fields, key);
    // Data comes before a file, as upstream has it.
    if (data === undefined) return file === undefined ? undefined : { file };
    const bytes = decodeBase64(data.replace(/\s+/g, ''));
    if (bytes === undefined) throw fail(`${key}-data of the kubeconfig's context ${context} is no base64`);
    return { pem: new TextDecoder().decode(bytes) };
  };
  const { cluster, user } = parts;
  const server = text(cluster, 'server');
  if (server === undefined || !URL.canParse(server)) {
    throw fail(`server of the kubeconfig's context ${context} is no URL`);
  }
  const username = text(user, 'username');
  const exec = user.exec;
  return {
    context,
    server,
    namespace: text(parts.context, 'namespace'),
    ca: located(cluster, 'certificate-authority'),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    tlsServerName: text(cluster, 'tls-server-name'),
    proxyUrl: text(cluster, 'proxy-url'),
    clientCertificate: located(user, 'client-certificate'),
    clientKey: located(user, 'client-key'),
    token: text(user, 'token'),
    tokenFile: text(user, 'tokenFile'),
    basic: username === undefined ? undefined : { username, password: text(user, 'password') ?? '' },
    impersonate: text(user, 'as'),
    exec: typeof exec === 'object' && exec !== null ? (exec as Fields) : undefined,
  };
}
