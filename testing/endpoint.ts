import { serve } from '../control-plane/apiserver/serve/serve.ts';
import type { ApiServer } from '../control-plane/apiserver/server.ts';
import type { Issuer } from '../libs/base/keys.ts';
import type { Logger } from '../libs/base/log.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import type { Random } from '../libs/base/random.ts';
import { buildKubeconfig } from '../libs/pki/kubeconfig.ts';

export interface Endpoint {
  readonly url: string;
  readonly kubeconfig: string;
  close(): Promise<void>;
}

/** A real TLS endpoint of a simulated cluster, on loopback, for `kubectl` and clients in any language. */
export async function openEndpoint(options: {
  readonly server: ApiServer;
  readonly authority: Issuer;
  readonly serving: Issuer;
  readonly admin: Issuer;
  readonly random: Random;
  readonly log: Logger;
}): Promise<Endpoint> {
  const { server, authority, serving, admin } = options;
  const listener = await serve({
    host: '127.0.0.1',
    port: 0,
    tls: {
      certificatePem: serving.certificatePem,
      privateKeyPem: serving.key.privateKeyPem(),
      clientAuthoritiesPem: authority.certificatePem,
    },
    // Sockets live in the machine's time, whatever the cluster's is.
    clock: new RealClock(),
    random: options.random.fork('serve'),
    log: options.log.child('serve'),
    handle: (request) => server.handle(request),
  });
  const url = `https://127.0.0.1:${listener.port}`;
  const user = { certificatePem: admin.certificatePem, privateKeyPem: admin.key.privateKeyPem() };
  return {
    url,
    kubeconfig: buildKubeconfig({ name: 'tutti-test', server: url, caPem: authority.certificatePem, user }),
    close: () => listener.close(1000),
  };
}
