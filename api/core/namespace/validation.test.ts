import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { Namespace } from '../../types/core/v1.generated.ts';
import { validateNamespace, validateNamespaceFinalize, validateNamespaceStatus } from './validation.ts';

const namespace = (finalizers: string[]): Namespace => ({ metadata: { name: 'x' }, spec: { finalizers } });
const PLAIN = 'Invalid value: "plain": name is neither a standard finalizer name nor is it fully qualified';

test('finalizers are qualified; which of them is not, `finalize` says', () => {
  assert.deepEqual(validateNamespace(namespace(['kubernetes', 'example.com/x'])), []);
  assert.deepEqual(validateNamespace(namespace(['kubernetes', 'plain'])).map(textOf), [`spec.finalizers: ${PLAIN}`]);
  assert.deepEqual(validateNamespaceFinalize(namespace(['kubernetes', 'plain'])).map(textOf), [
    `spec.finalizers[1]: ${PLAIN}`,
  ]);
});

test('it is terminating just when it is being deleted', () => {
  const errors = (phase: string, deletionTimestamp?: string) =>
    validateNamespaceStatus({ metadata: { name: 'x', deletionTimestamp }, status: { phase } } as Namespace).length;
  const now = '2026-01-01T00:00:00Z';
  assert.deepEqual([errors('Active'), errors('Terminating', now)], [0, 0]);
  assert.deepEqual([errors('Terminating'), errors('Active', now), errors('')], [1, 1, 1]);
});
