// `tutti server`: the control plane of a cluster on many machines, in the foreground.

import { say } from '../spoken.ts';
import { detach } from './detach.ts';
import { serverOptions, USAGE } from './server-options.ts';
import { runCluster } from './up.ts';

export { USAGE };

/** Runs until a signal comes; resolves with the exit code. */
export async function server(args: readonly string[]): Promise<number> {
  const options = serverOptions(args);
  if (options === 'help') {
    say(USAGE);
    return 0;
  }
  return options.detach ? detach('server', options, args) : runCluster(options);
}
