import type { Machine } from './apiserver.ts';

const COMMENT = 'tutti: pods';

/**
 * Lets packets of pods pass where somebody drops all that are forwarded, as Docker and some firewalls do: there an
 * "accept" in a table of our own would not count. Where nothing is dropped, nothing is touched. Idempotent.
 */
export async function letPodsPass({ host, log }: Machine, podCidrs: readonly string[]): Promise<void> {
  for (const { iptables, family, cidrs } of byFamily(podCidrs)) {
    const chain = await host.processes
      .run('nft', ['list', 'chain', family, 'filter', 'FORWARD'])
      .catch(() => undefined);
    if (chain?.code !== 0 || !/policy drop/.test(chain.stdout)) continue;
    for (const rule of rulesOf(cidrs)) {
      const run = (action: string) => host.processes.run(iptables, ['-w', action, 'FORWARD', ...rule]);
      try {
        if ((await run('-C')).code === 0) continue;
        const { code, stderr } = await run('-I');
        if (code !== 0) log.warn('a firewall may drop what pods send', { error: stderr.trim() });
      } catch (error) {
        log.warn('a firewall drops what is forwarded, and iptables is not there to let pods pass', { error });
        return;
      }
    }
  }
}

/** Takes those rules away. Never rejects. */
export async function stopPodsPassing({ host }: Machine, podCidrs: readonly string[]): Promise<void> {
  for (const { iptables, family, cidrs } of byFamily(podCidrs)) {
    const chain = await host.processes
      .run('nft', ['list', 'chain', family, 'filter', 'FORWARD'])
      .catch(() => undefined);
    if (chain?.code !== 0) continue;
    for (const rule of rulesOf(cidrs)) {
      await host.processes.run(iptables, ['-w', '-D', 'FORWARD', ...rule]).catch(() => undefined);
    }
  }
}

const byFamily = (podCidrs: readonly string[]) =>
  [
    { iptables: 'iptables', family: 'ip', cidrs: podCidrs.filter((cidr) => !cidr.includes(':')) },
    { iptables: 'ip6tables', family: 'ip6', cidrs: podCidrs.filter((cidr) => cidr.includes(':')) },
  ].filter(({ cidrs }) => cidrs.length > 0);

const rulesOf = (cidrs: readonly string[]): string[][] =>
  cidrs.flatMap((cidr) =>
    ['-s', '-d'].map((side) => [side, cidr, '-m', 'comment', '--comment', COMMENT, '-j', 'ACCEPT']),
  );
