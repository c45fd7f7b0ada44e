import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ComponentStatus } from '../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { componentStatusKind } from './component-statuses.ts';

test('components are asked, and a table shows what they say', async () => {
  const kind = componentStatusKind([
    { name: 'scheduler', check: () => undefined },
    { name: 'etcd-0', check: () => Promise.reject(new Error('no answer')) },
  ]);
  const list = kind.virtual!.list as unknown as () => Promise<DeepReadonly<ComponentStatus>[]>;
  const rows = (await list()).map((one) => kind.columns.map(({ value }) => value(one as never, 0)));
  assert.deepEqual(
    kind.columns.map(({ name }) => name),
    ['Name', 'Status', 'Message', 'Error'],
  );
  assert.deepEqual(rows, [
    ['scheduler', 'Healthy', 'ok', ''],
    ['etcd-0', 'Unhealthy', 'no answer', ''],
  ]);
  const bare = { metadata: { name: 'x' } } as never;
  assert.equal(kind.columns[1]!.value(bare, 0), 'Unknown');
});
