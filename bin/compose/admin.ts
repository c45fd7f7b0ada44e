// The administrator's client, for commands that talk to a cluster which runs: by the kubeconfig in its data folder.

import { dirname } from 'node:path';
import { createClient } from '../../libs/client/client.ts';
import { connectionTransport } from '../../libs/client/node/connection-transport.ts';
import type { Client } from '../../libs/kind/client.ts';
import { KubeconfigError, parseKubeconfig } from '../../libs/pki/kubeconfig.ts';
import { CommandError } from '../errors.ts';
import type { Machine } from './apiserver.ts';
import { explain } from './join.ts';

export interface Administrator extends AsyncDisposable {
  readonly client: Client;
  readonly server: string;
  /** In PEM; empty where the kubeconfig names none. */
  readonly authorityPem: string;
}

export const kubeconfigPathOf = (dataDir: string): string => `${dataDir}/admin.kubeconfig`;

/** Opens the way; nothing is asked yet. Throws `CommandError` where there is no such file, or none that can be used. */
export async function administratorOf(
  machine: Machine,
  { dataDir, kubeconfig = kubeconfigPathOf(dataDir) }: { readonly dataDir: string; readonly kubeconfig?: string },
): Promise<Administrator> {
  const { host, clock } = machine;
  const text = await host.files.readTextIfExists(kubeconfig).catch((error: Error) => {
    throw new CommandError(`${kubeconfig} cannot be read: ${error.message}.`);
  });
  if (text === undefined) {
    throw new CommandError(
      `There is no cluster in ${dataDir} (no ${kubeconfig}); start one with "tutti up", or give --data-dir or --kubeconfig.`,
    );
  }
  try {
    const connection = parseKubeconfig(text).connection();
    const options = { files: host.files, folder: dirname(kubeconfig), clock, userAgent: 'tutti' };
    const transport = await connectionTransport(connection, options);
    const { ca, server } = connection;
    const authorityPem = ca && 'pem' in ca ? ca.pem : ca ? await host.files.readText(ca.file) : '';
    return {
      client: createClient(transport, { userAgent: 'tutti', clock }),
      server,
      authorityPem,
      [Symbol.asyncDispose]: () => transport.close(),
    };
  } catch (error) {
    if (error instanceof KubeconfigError) throw new CommandError(`${kubeconfig}: ${error.message}.`);
    throw error;
  }
}

/** Runs `work` as the administrator, and makes sentences of what keeps the two apart. */
export async function asAdministrator<T>(
  machine: Machine,
  where: { readonly dataDir: string; readonly kubeconfig?: string },
  work: (administrator: Administrator) => Promise<T>,
): Promise<T> {
  await using administrator = await administratorOf(machine, where);
  try {
    return await work(administrator);
  } catch (error) {
    throw explain(machine, administrator.server, error);
  }
}
