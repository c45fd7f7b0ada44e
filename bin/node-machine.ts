import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setUp } from '../tools/setup.ts';
import { whyNoCgroups } from './cgroup-controllers.ts';
import { CommandError } from './errors.ts';

/** Without these nothing can be mounted, no network be made; by their bits (linux/capability.h). */
const CAPABILITIES: readonly (readonly [name: string, bit: number])[] = [
  ['CAP_NET_ADMIN', 12],
  ['CAP_SYS_ADMIN', 21],
];

/**
 * Sees to it that this machine can be a node, and installs what it lacks (as root on Debian and Ubuntu), saying so.
 * Throws `CommandError` with the reason where real containers are impossible.
 */
export function requireNodeMachine(options: { readonly criEndpoint?: string }, say: (text: string) => void): void {
  const reason = whyNoNode();
  if (reason !== undefined) {
    throw new CommandError(`${reason}; "tutti up --simulate 3" runs the whole cluster with simulated nodes instead.`);
  }
  const missing = setUp('node', say).filter(
    ({ name }) => options.criEndpoint === undefined || (name !== 'containerd' && name !== 'runc'),
  );
  if (missing.length > 0) throw new CommandError(missing.map(({ advice }) => advice).join(' '));
}

function whyNoNode(): string | undefined {
  if (process.platform !== 'linux') return `Real containers need Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return `Real containers need root, and this is user ${process.getuid?.()}`;
  const lacking = CAPABILITIES.find(([, bit]) => !hasCapability(bit));
  if (lacking) return `Real containers need ${lacking[0]}, which root lacks here, as in an unprivileged container`;
  const cgroups = whyNoCgroups();
  return cgroups && `Real containers need ${cgroups}`;
}

/** Whether this process has a capability, by its bit (linux/capability.h). */
export function hasCapability(bit: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n;
}
