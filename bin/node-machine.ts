import process from 'node:process';
import { setUp } from '../tools/setup.ts';
import { CommandError } from './errors.ts';

/**
 * Sees to it that this machine can be a node, and installs what it lacks (as root on Debian and Ubuntu), saying so.
 * Throws `CommandError` with the reason where real containers are impossible.
 */
export function requireNodeMachine(options: { readonly criEndpoint?: string }, say: (text: string) => void): void {
  const without = 'tutti up --simulate 3 runs the whole cluster with simulated nodes instead';
  if (process.platform !== 'linux') {
    throw new CommandError(`Real containers need Linux, and this is ${process.platform}; ${without}.`);
  }
  if (process.getuid?.() !== 0) {
    throw new CommandError(`Real containers need root, and this is user ${process.getuid?.()}; ${without}.`);
  }
  const missing = setUp('node', say).filter(
    ({ name }) => options.criEndpoint === undefined || (name !== 'containerd' && name !== 'runc'),
  );
  if (missing.length > 0) throw new CommandError(missing.map(({ advice }) => advice).join(' '));
}
