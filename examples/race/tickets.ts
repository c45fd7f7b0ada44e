// A box office: each window reads how many tickets are sold, adds one, writes that back. `careful` windows say which
// revision they have read, so that a write of another window in between is a conflict and they begin anew; the others
// lose a sale when two of them meet, which nearly never happens.

import type { Cluster, Scenario } from 'tutti';

async function sell(cluster: Cluster, window: string, afterMs: number, careful: boolean): Promise<void> {
  const client = await cluster.clientAs({ name: window, groups: ['system:masters'] });
  const maps = client.core.v1.configMaps('default');
  await cluster.clock.sleep(afterMs);
  for (;;) {
    try {
      const { data, metadata } = await maps.get('tickets');
      const patch = { data: { [window]: 'sold', sold: String(Number(data?.['sold'] ?? 0) + 1) } };
      const revision = careful ? { metadata: { resourceVersion: metadata.resourceVersion } } : {};
      await maps.patch('tickets', { ...patch, ...revision }, { type: 'merge' });
      return;
    } catch {
      // A conflict, or a fault. Was it done all the same? A window that has sold does not sell twice.
      await cluster.clock.sleep(500);
      const done = await maps.get('tickets').catch(() => undefined);
      if (done?.data?.[window]) return;
    }
  }
}

export const boxOffice = (careful: boolean): Scenario => ({
  name: careful ? 'a careful box office' : 'a box office',
  cluster: { components: [] },
  async prepare(cluster) {
    await cluster.client.core.v1.configMaps('default').create({ metadata: { name: 'tickets' }, data: { sold: '0' } });
  },
  async run(cluster) {
    let open = 2;
    for (const [window, afterMs] of [
      ['left', 0],
      ['right', 200],
    ] as const)
      void sell(cluster, window, afterMs, careful).finally(() => open--);
    await cluster.until(() => open === 0, { what: 'both windows to be done' });
  },
  async settled(cluster) {
    const { data } = await cluster.client.core.v1.configMaps('default').get('tickets');
    if (data?.['sold'] !== '2') throw new Error(`two tickets went over the counter, ${data?.['sold']} in the books`);
  },
});
