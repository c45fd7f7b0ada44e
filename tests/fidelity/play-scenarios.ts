/**
 * Plays recorded scenarios against a whole control plane of ours: API server, controllers and scheduler run in this
 * process with a store in memory, and upstream's player and its stand-in for kubelets (both part of the reference data)
 * in processes of their own, on loopback. Gives one verdict a scenario.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { clusterNetworks, DEFAULT_POD_CIDR, DEFAULT_SERVICE_CIDR } from '../../bin/compose/cluster-network.ts';
import { accountClient, clientOf, startSchedulerComponent } from '../../bin/compose/components.ts';
import { startControllerManager } from '../../control-plane/controller-manager/controller-manager.ts';
import { createInformers } from '../../libs/client/informers.ts';
import { type PlayOptions, recordings, runPlayer, startPlayedServer, type Verdict } from './play.ts';

/** What upstream was told when the scenarios were recorded. */
const NODE_MONITOR_GRACE_MS = 8000;
const NODES = 3;
/** Scenarios mostly wait. */
const JOBS = 10;

/** Plays files of scenarios (names without `.jsonl`), one control plane for all. Throws an Error where the player fails. */
export async function playScenarios(files: readonly string[], options: PlayOptions = {}): Promise<Verdict[]> {
  if (recordings === undefined) throw new Error('the reference data is not here');
  const directory = mkdtempSync(join(tmpdir(), 'tutti-scenarios-'));
  try {
    await using running = await startPlayedServer(directory, options.print);
    await using _controllers = startControllers(running);
    await using _scheduler = await startSchedulerComponent(running);
    const kubelets = spawn(
      process.execPath,
      ['fake-kubelet.mjs', '--kubeconfig', running.kubeconfigPath, '--nodes', String(NODES)],
      { cwd: recordings, stdio: 'ignore' },
    );
    try {
      const verdicts = join(directory, 'verdicts.json');
      await runPlayer('scenarios.mjs', recordings, running.kubeconfigPath, verdicts, files, {
        timeoutMs: 1_800_000,
        jobs: JOBS,
        ...options,
      });
      return JSON.parse(readFileSync(verdicts, 'utf8')) as Verdict[];
    } finally {
      await ended(kubelets);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function startControllers(around: Parameters<typeof clientOf>[0]): AsyncDisposable {
  const { machine, pki } = around;
  const networks = clusterNetworks(DEFAULT_POD_CIDR, DEFAULT_SERVICE_CIDR);
  const { clock, random, keys, log } = machine;
  const client = clientOf(around, () => pki.controllerManager.certificatePem, 'kube-controller-manager');
  const informers = createInformers({ client, clock, random, log });
  const running = startControllerManager({
    client,
    informers,
    clock,
    random,
    keys,
    log,
    featureGates: { enabled: () => true },
    clientOf: (account) => accountClient(around, account),
    settings: {
      rootAuthorityPem: pki.ca.certificatePem,
      signing: { authority: pki.ca },
      serviceAccountTokens: { signingKey: pki.serviceAccountKey, rootAuthorityPem: pki.ca.certificatePem },
      nodeMonitorGraceMs: NODE_MONITOR_GRACE_MS,
      nodeIpam: { clusterCidrs: networks.podCidrs, reservedCidrs: networks.serviceCidrs },
    },
  });
  return {
    async [Symbol.asyncDispose]() {
      await running.stop();
      await informers.stop();
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill();
  await closed;
}
