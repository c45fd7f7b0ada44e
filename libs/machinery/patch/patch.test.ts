import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answers, type Case } from '../../../tests/fidelity/answers.ts';
import { builtinSchema, builtinTypeOf } from '../../../tests/fidelity/schema.ts';
import * as errors from '../errors.ts';
import { json } from '../quote.ts';
import { applyJsonPatch, type JsonPatchOperation, jsonPatchOf } from './json-patch.ts';
import { applyMergePatch, mergePatchOf } from './merge-patch.ts';
import { StrategicMerge } from './strategic-merge.ts';

/** Any attempt to change a patched document is an error. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

const document = frozen({ a: { b: { c: 1 }, l: [1, 2, 3] }, z: 'x', n: null });

test('JSON patch', () => {
  const table: [string, JsonPatchOperation[], unknown][] = [
    ['add', [{ op: 'add', path: '/a/b/d', value: 2 }], { a: { b: { c: 1, d: 2 }, l: [1, 2, 3] }, n: null, z: 'x' }],
    ['add without value', [{ op: 'add', path: '/q' }], { ...document, q: null }],
    ['add to a list', [{ op: 'add', path: '/a/l/1', value: 9 }], { ...document, a: { b: { c: 1 }, l: [1, 9, 2, 3] } }],
    ['append', [{ op: 'add', path: '/a/l/-', value: 9 }], { ...document, a: { b: { c: 1 }, l: [1, 2, 3, 9] } }],
    [
      'add at a negative index',
      [{ op: 'add', path: '/a/l/-1', value: 9 }],
      { ...document, a: { b: { c: 1 }, l: [1, 2, 3, 9] } },
    ],
    ['remove from a list', [{ op: 'remove', path: '/a/l/-1' }], { ...document, a: { b: { c: 1 }, l: [1, 2] } }],
    ['replace the missing', [{ op: 'replace', path: '/q', value: 1 }], { ...document, q: 1 }],
    ['replace the root', [{ op: 'replace', path: '', value: { q: 1 } }], { q: 1 }],
    ['move', [{ op: 'move', from: '/a/b', path: '/m' }], { a: { l: [1, 2, 3] }, m: { c: 1 }, n: null, z: 'x' }],
    [
      'a copy is its own',
      [
        { op: 'copy', from: '/a/b', path: '/m' },
        { op: 'add', path: '/m/x', value: 1 },
      ],
      { ...document, m: { c: 1, x: 1 } },
    ],
    ['copy the missing', [{ op: 'copy', from: '/q', path: '/m' }], { ...document, m: null }],
    [
      'test',
      [
        { op: 'test', path: '/a', value: { l: [1, 2, 3], b: { c: 1 } } },
        { op: 'test', path: '/n', value: null },
      ],
      document,
    ],
    ['no leading slash', [{ op: 'add', path: 'a/q', value: 1 }], { ...document, q: 1 }],
    ['escapes', [{ op: 'add', path: '/~01~1', value: 1 }], { ...document, '~1/': 1 }],
    [
      'leading zeros',
      [{ op: 'replace', path: '/a/l/00', value: 9 }],
      { ...document, a: { b: { c: 1 }, l: [9, 2, 3] } },
    ],
    [
      '__proto__',
      [
        { op: 'add', path: '/__proto__', value: 1 },
        { op: 'remove', path: '/__proto__' },
      ],
      document,
    ],
  ];
  for (const [name, operations, want] of table) assert.deepEqual(applyJsonPatch(document, operations), want, name);
  const touched = applyJsonPatch(document, [{ op: 'add', path: '/a/b/a', value: 1 }]) as typeof document;
  assert.equal(touched.a.l, document.a.l, 'what is not touched is shared');
  assert.equal(
    JSON.stringify(touched),
    '{"a":{"b":{"a":1,"c":1},"l":[1,2,3]},"n":null,"z":"x"}',
    'touched objects are sorted',
  );
});

test('JSON patches that do not apply', () => {
  const table: [JsonPatchOperation, string][] = [
    [
      { op: 'remove', path: '/none' },
      "error in remove for path: '/none': Unable to remove nonexistent key: none: missing value",
    ],
    [
      { op: 'remove', path: '/none/x' },
      'remove operation does not apply: doc is missing path: "/none/x": missing value',
    ],
    [
      { op: 'replace', path: '/a/l/3', value: 1 },
      'replace operation does not apply: doc is missing key: /a/l/3: missing value',
    ],
    [
      { op: 'add', path: '/a/l/4', value: 1 },
      "error in add for path: '/a/l/4': Unable to access invalid index: 4: invalid index referenced",
    ],
    [
      { op: 'add', path: '/a/l/x', value: 1 },
      'error in add for path: \'/a/l/x\': strconv.Atoi: parsing "x": invalid syntax',
    ],
    [{ op: 'add', path: '/z/x', value: 1 }, 'add operation does not apply: doc is missing path: "/z/x": missing value'],
    [{ op: 'test', path: '/z', value: 'y' }, 'testing value /z failed: test failed'],
    [{ op: 'test', path: '/z' }, 'testing value /z failed: test failed'],
    [{ op: 'add' }, 'add operation failed to decode path: missing value'],
    [{ op: 'move', path: '/x' }, 'move operation failed to decode from: missing value'],
    [{ op: 'ADD', path: '/x' }, 'Unexpected kind: ADD'],
    [{ path: '/x' }, 'Unexpected kind: unknown'],
  ];
  for (const [operation, message] of table) {
    assert.throws(() => applyJsonPatch(document, [operation]), { name: 'JsonPatchError', message });
  }
  assert.throws(() => jsonPatchOf('x'), {
    message: 'error decoding patch: json: cannot unmarshal string into Go value of type []handlers.jsonPatchOp',
  });
  assert.throws(
    () => jsonPatchOf([{ op: 5 }]),
    /cannot unmarshal number into Go struct field jsonPatchOp\.op of type string/,
  );
  assert.throws(() => jsonPatchOf(new Array(10_001).fill({})), { code: 413 });
  assert.deepEqual(jsonPatchOf(null), []);
  const big = 'x'.repeat(1024 * 1024);
  const copies = [1, 2, 3, 4].map((n) => ({ op: 'copy', from: '/a', path: `/${n}` }));
  assert.throws(() => applyJsonPatch({ a: { big } }, copies), /accumulated size increase of copy/);
});

test('merge patch', () => {
  const table: [unknown, unknown][] = [
    [{}, document],
    [
      { z: null, q: { a: null, b: 1 } },
      { a: document.a, n: null, q: { b: 1 } },
    ],
    [{ a: { l: [{ x: null, y: 1 }] } }, { ...document, a: { b: { c: 1 }, l: [{ y: 1 }] } }],
    [{ a: 'text' }, { ...document, a: 'text' }],
    [{ z: { q: 1 } }, { ...document, z: { q: 1 } }],
  ];
  for (const [patch, want] of table) assert.deepEqual(applyMergePatch(document, frozen(patch)), want);
  assert.throws(() => mergePatchOf([]), {
    code: 400,
    message: 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
  });
  assert.throws(() => mergePatchOf(null), { message: 'Invalid JSON Patch' });
});

const strategic = new StrategicMerge(builtinSchema());
const podType = { k: 'ref', name: 'core.v1.Pod' } as const;
const pod = frozen({
  metadata: { finalizers: ['a', 'b'], labels: { x: '1' } },
  spec: {
    containers: [
      { name: 'a', image: 'i', args: ['1'] },
      { name: 'b', image: 'j' },
    ],
    nodeSelector: { k: 'v' },
    volumes: [{ name: 'v', emptyDir: {} }],
  },
});

test('strategic merge', () => {
  const { containers, ...others } = pod.spec;
  const spec = (changed: object): object => ({ ...pod, spec: { ...pod.spec, ...changed } });
  const table: [string, object, object][] = [
    [
      'items merge by key',
      { spec: { containers: [{ name: 'b', image: 'n' }] } },
      spec({ containers: [containers[0], { name: 'b', image: 'n' }] }),
    ],
    [
      'new items come first',
      { spec: { containers: [{ name: 'z' }] } },
      spec({ containers: [{ name: 'z' }, ...containers] }),
    ],
    [
      'items are deleted',
      { spec: { containers: [{ name: 'a', $patch: 'delete' }] } },
      spec({ containers: [containers[1]] }),
    ],
    [
      'a list is replaced',
      { spec: { containers: [{ $patch: 'replace' }, { name: 'q' }] } },
      spec({ containers: [{ name: 'q' }] }),
    ],
    ['an object is replaced', { spec: { $patch: 'replace', nodeName: 'n' } }, { ...pod, spec: { nodeName: 'n' } }],
    ['an object is emptied', { spec: { nodeSelector: { $patch: 'delete' } } }, spec({ nodeSelector: {} })],
    [
      'null removes',
      { spec: { volumes: null, none: null } },
      { ...pod, spec: { containers, nodeSelector: others.nodeSelector } },
    ],
    [
      'plain lists are replaced',
      { spec: { containers: [{ name: 'a', args: ['2'] }] } },
      spec({ containers: [{ ...containers[0], args: ['2'] }, containers[1]] }),
    ],
    [
      'scalars are united',
      { metadata: { finalizers: ['c', 'b'] } },
      { ...pod, metadata: { ...pod.metadata, finalizers: ['c', 'a', 'b'] } },
    ],
    [
      'scalars are deleted',
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      { ...pod, metadata: { ...pod.metadata, finalizers: ['b'] } },
    ],
    [
      'an order is set',
      { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } },
      spec({ containers: [containers[1], containers[0]] }),
    ],
    [
      'keys are retained',
      { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/' } }] } },
      spec({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }),
    ],
    [
      'directives of new parts vanish',
      { spec: { affinity: { $patch: 'x', nodeAffinity: { a: null, b: [{ $patch: 'delete' }] } } } },
      spec({ affinity: { nodeAffinity: { b: [] } } }),
    ],
    ['types differ', { spec: { nodeSelector: 'x' } }, spec({ nodeSelector: 'x' })],
  ];
  for (const [name, patch, want] of table)
    assert.deepEqual(strategic.apply(podType, pod, frozen(patch) as any), want, name);
});

test('strategic merges that are refused', () => {
  const table: [object, number, RegExp][] = [
    [
      { spec: { containers: [{ image: 'x' }] } },
      500,
      /^map: map\[image:x\] does not contain declared merge key: name$/,
    ],
    [{ spec: { containers: [{ $patch: 'delete' }] } }, 500, /does not contain declared merge key: name$/],
    [
      { spec: { containers: [{ name: 'a', $patch: 'x' }] } },
      500,
      /^unknown patch type: x in map: map\[\$patch:x name:a\]$/,
    ],
    [{ spec: { $patch: null } }, 500, /^unknown patch type: %!s\(<nil>\) in map/],
    [{ spec: { containers: [[]] } }, 422, /^lists of lists are not supported$/],
    [{ spec: { containers: ['a'] } }, 500, /^list element types are not identical/],
    [{ spec: { $retainKeys: 'x' } }, 400, /^invalid patch format of retainKeys$/],
    [{ metadata: { '$deleteFromPrimitiveList/a/b': [] } }, 400, /^invalid patch format of primitive list$/],
    [{ metadata: { '$setElementOrder/a/b': [] } }, 400, /^invalid patch format of setElementOrder list$/],
  ];
  for (const [patch, code, message] of table) {
    assert.throws(() => strategic.apply(podType, pod, patch as any), { name: 'ApiError', code, message });
  }
});

/** Whether `actual` has all that `wanted` has; lists must be as long. */
function contains(actual: any, wanted: any): boolean {
  // What is empty is mostly left out of answers.
  if (actual === undefined && typeof wanted === 'object' && Object.keys(wanted ?? {}).length === 0) return true;
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(actual) && actual.length === wanted.length && wanted.every((item, i) => contains(actual[i], item))
    );
  }
  if (typeof wanted !== 'object' || wanted === null)
    return actual === '<time>' || actual === wanted || json(actual) === json(wanted);
  return Object.entries(wanted).every(([key, value]) => contains(actual?.[key], value));
}

/** Plays the last PATCH of a case on what its POST sent; the answer has that and what the server added. */
function play({ id, steps, answers: replies }: Case): 'played' | 'skipped' {
  const at = steps.findIndex((step) => step.m === 'PATCH');
  const [created, patch] = [steps[at - 1], steps[at]];
  const reply = replies[steps.slice(0, at).filter((step) => !step.quiet).length] as any;
  if (at !== 1 || created?.m !== 'POST' || typeof patch?.b === 'string' || patch?.b === undefined) return 'skipped';
  const object = frozen(created.b) as any;
  const [group = '', version] = object.apiVersion.includes('/')
    ? object.apiVersion.split('/')
    : ['', object.apiVersion];
  const type = builtinTypeOf(group, version, object.kind);
  const media = patch.h?.['Content-Type'];
  let result: any;
  try {
    if (media === 'application/json-patch+json') result = applyJsonPatch(object, jsonPatchOf(patch.b));
    else if (media === 'application/merge-patch+json') result = applyMergePatch(object, mergePatchOf(patch.b));
    else if (type !== undefined) result = strategic.apply({ k: 'ref', name: type }, object, patch.b as any);
  } catch (error) {
    const status = error instanceof errors.ApiError ? error.status : errors.unprocessable().status;
    assert.deepEqual([status.code, status.message], [reply.code, reply.body.message], id);
    return 'played';
  }
  // What the server refuses or drops after the patch is not this module's.
  if (reply.code !== 200 || /unknown|remove-kind|without-slash|status-|spelling|add-null/.test(id)) return 'skipped';
  const { metadata, ...rest } = result;
  delete metadata?.generation;
  // Admission adds to every pod's tolerations.
  if (object.kind === 'Pod') delete rest.spec.tolerations;
  assert.ok(contains(reply.body, rest), `${id}\n${json(rest)}\n${json(reply.body)}`);
  assert.ok(contains(reply.body.metadata, { ...metadata, name: 'x' }) || metadata.name !== 'x', id);
  return 'played';
}

test("upstream's recorded patches", { skip: answers.skip }, () => {
  const counts = { played: 0, skipped: 0 };
  for (const recorded of answers.read('patch')) {
    if (/^patch\/(json|merge|strategic)\//.test(recorded.id)) counts[play(recorded)]++;
  }
  assert.ok(counts.played >= 70, JSON.stringify(counts));
});
