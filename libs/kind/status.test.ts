import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiObject } from './object.ts';
import { changeStatusAlone, keepAllButStatus } from './status.ts';

const owner = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', name, uid: name });
const object = (text: string): ApiObject =>
  ({
    metadata: {
      name: 'x',
      labels: { l: text },
      annotations: { a: text },
      finalizers: [`a.b/${text}`],
      ownerReferences: [owner(text)],
    },
    spec: { s: text },
    status: { t: text },
  }) as ApiObject;

/** What was changed gets through: the parts that are not as they were. */
function through(write: (draft: ApiObject, old: ApiObject) => void): string[] {
  const draft = object('new');
  write(draft, object('old'));
  const { metadata, ...parts } = draft as unknown as Record<string, Record<string, unknown>>;
  const all = Object.entries({ ...metadata, ...parts });
  return all.filter(([, value]) => JSON.stringify(value).includes('new')).map(([name]) => name);
}

test('a write of a status changes that, and of the metadata what the kind says', () => {
  assert.deepEqual(
    through((draft, old) => keepAllButStatus(draft, old)),
    ['finalizers', 'ownerReferences', 'status'],
  );
  assert.deepEqual(
    through((draft, old) => keepAllButStatus(draft, old, ['annotations'])),
    ['annotations', 'finalizers', 'ownerReferences', 'status'],
  );
  assert.deepEqual(through(changeStatusAlone), ['status']);
});

test('what was not there before is gone', () => {
  const draft = object('new');
  changeStatusAlone(draft, { metadata: { name: 'x' } } as ApiObject);
  assert.deepEqual(draft.metadata, { name: 'x' });
});
