import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validateAnnotations } from './annotations.ts';
import { path, textOf } from './field-errors.ts';

const at = path('metadata', 'annotations');
const MOST = 256 * 1024;

test('names are qualified, in any case, and all together have a limit in bytes', () => {
  for (const [annotations, count] of [
    [{}, 0],
    [{ 'Example.COM/Key': 'any text' }, 0],
    [{ 'bad key': '' }, 1],
    [{ k: 'x'.repeat(MOST - 1) }, 0],
    [{ k: 'x'.repeat(MOST) }, 1],
    [{ k: 'ä'.repeat(MOST / 2) }, 1],
    [{ k: 'ä'.repeat(MOST / 2 - 1) }, 0],
  ] as [Record<string, string>, number][]) {
    assert.equal(validateAnnotations(annotations, at).length, count, String(Object.keys(annotations)));
  }
  assert.equal(
    validateAnnotations({ k: 'x'.repeat(MOST) }, at).map(textOf)[0],
    'metadata.annotations: Too long: may not be more than 262144 bytes',
  );
});
