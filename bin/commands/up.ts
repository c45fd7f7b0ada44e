// `tutti up` and `tutti server`: a cluster on this machine, or the control plane of one on many, in the foreground.

import { Cluster } from '../compose/cluster.ts';
import { lockDataDir } from '../data-lock.ts';
import { explainStartError } from '../errors.ts';
import { requireNodeMachine } from '../node-machine.ts';
import { say } from '../spoken.ts';
import { detach } from './detach.ts';
import { runUntilSignal } from './foreground.ts';
import { NODE_COMPONENTS, type UpOptions, USAGE, upOptions } from './up-options.ts';

export { USAGE };

/** Runs until a signal comes; resolves with the exit code. */
export async function up(args: readonly string[]): Promise<number> {
  const options = upOptions(args);
  if (options === 'help') {
    say(USAGE);
    return 0;
  }
  return options.detach ? detach('up', options, args) : runCluster(options);
}

/** Runs what the options want until a signal comes. */
export async function runCluster(options: UpOptions): Promise<number> {
  const hasNode = NODE_COMPONENTS.some((name) => options.wanted.has(name));
  return runUntilSignal({ ...options, keepPods: options.keepPods && hasNode }, async (machine, step) => {
    if (hasNode) requireNodeMachine(options, (text) => step('set-up', text));
    const { dataDir, port, listenHost, store } = options;
    const explain = (error: unknown) => explainStartError(error, { dataDir, port, listenHost, store });
    const lock = await lockDataDir(machine.host, dataDir).catch((error: unknown) => {
      throw explain(error);
    });
    const cluster = new Cluster(machine, options, step);
    return {
      start: () => cluster.start(),
      explain,
      async stop(hurry) {
        await cluster.stop(hurry);
        await lock[Symbol.asyncDispose]();
      },
    };
  });
}
