import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ApiObject } from '../../../libs/kind/object.ts';
import { deepFreeze } from '../../../libs/machinery/freeze.ts';
import type { ServedResource } from './kind-set.ts';
import type { UpdateRules } from './rules.ts';
import { ownParts, setAside, shareable, sharingOf } from './unchangeable.ts';

const resource = (served: object = {}, strategy: object = {}) => ({ served, kind: { strategy } }) as ServedResource;
const statusRules = { resetFields: ['spec'] } as UpdateRules;

interface Thing extends ApiObject {
  spec: { list: object[] };
  status: { conditions: object[] };
}

const stored = (): Thing =>
  deepFreeze({
    apiVersion: 'v1',
    kind: 'Thing',
    metadata: { name: 'a', labels: { app: 'a' } },
    spec: { list: [{ x: 1 }] },
    status: { conditions: [{ type: 'Ready' }] },
  });

describe('what a change shares with the stored object', () => {
  it('is nothing where versions are converted', () => {
    assert.equal(sharingOf(resource({ toStorage: () => ({}) }), 'status', statusRules), undefined);
    assert.equal(sharingOf(resource({ fromStorage: () => ({}) }), '', statusRules), undefined);
  });

  const cases: [what: string, subresource: string, whole: string[], members: string[]][] = [
    ['the members of the metadata, of a write to the main resource', '', [], ['metadata']],
    [
      'the spec, too, and the members of the status, of a write to the status',
      'status',
      ['spec'],
      ['metadata', 'status'],
    ],
    ['what another subresource resets, and no members but those of the metadata', 'resize', ['spec'], ['metadata']],
  ];
  for (const [what, subresource, whole, members] of cases) {
    it(`is ${what}`, () => {
      const sharing = sharingOf(resource(), subresource, statusRules);
      assert.ok(sharing);
      const before = stored() as Thing & Record<string, object>;
      const draft = { ...before } as Thing & Record<string, object>;
      ownParts(draft, before, sharing);
      for (const name of ['metadata', 'spec', 'status']) {
        assert.deepEqual(draft[name], before[name]);
        assert.equal(draft[name] === before[name], whole.includes(name), name);
        const [[key, member]] = Object.entries(draft[name] as object).slice(-1) as [[string, object]];
        const same = member === (before[name] as Record<string, object>)[key];
        assert.equal(same, whole.includes(name) || members.includes(name), `members of ${name}`);
      }
      assert.deepEqual(
        Object.keys(shareable(draft, before, sharing)).sort(),
        [...new Set([...members, ...whole])].sort(),
      );
      setAside(draft, before, sharing)();
      assert.deepEqual(draft, before, 'what was put aside is put back');
    });
  }

  it('is not the spec where labels that it fills in were taken away', () => {
    const sharing = sharingOf(resource(), 'status', statusRules);
    assert.ok(sharing);
    const before = stored();
    const draft = { ...before, metadata: { name: 'a' } };
    ownParts(draft, before, sharing);
    assert.notEqual(draft.spec, before.spec);
    assert.ok(!Object.isFrozen(draft.spec.list));
  });

  it('is the template of a kind that keeps it, and no part of another template', () => {
    const sharing = sharingOf(resource({}, { keepsTemplate: true }), '', {});
    assert.ok(sharing);
    const before = deepFreeze({ ...stored(), spec: { replicas: 1, template: { spec: { nodeSelector: { a: 'b' } } } } });
    const { template } = before.spec;
    assert.deepEqual(shareable({ spec: { replicas: 2, template } }, before, sharing), {
      metadata: before.metadata,
      spec: { template },
    });
    const other = { spec: { replicas: 2, template: { spec: template.spec } } };
    assert.ok(!Object.hasOwn(shareable(other, before, sharing), 'spec'));
    const draft = { ...before };
    ownParts(draft, before, sharing);
    assert.equal(draft.spec.template, template);
    assert.notEqual(draft.spec, before.spec);
  });
});
