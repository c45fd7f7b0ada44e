/** Plays recorded requests with field management alone: no defaults, no validation, no admission. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answers, type Case, type Step } from '../../../tests/fidelity/answers.ts';
import { builtinSchema, builtinTypeOf } from '../../../tests/fidelity/schema.ts';
import { applyJsonPatch } from '../patch/json-patch.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import { StrategicMerge } from '../patch/strategic-merge.ts';
import { FieldManager } from './field-manager.ts';
import { difference, pathsOf } from './field-set.ts';
import { type ManagedFieldsEntry, managerOf } from './managed-fields.ts';
import { parentManagedFields, scaleManagedFields } from './scale.ts';
import { Structures } from './structure.ts';

const structures = new Structures(builtinSchema());
const strategic = new StrategicMerge(builtinSchema());

const typeOf = (apiVersion: string, kind: string): string | undefined => {
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion];
  return builtinTypeOf(group, version, kind);
};

const withMeta = (object: any, managedFields: unknown): any => {
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: { ...metadata, uid: 'u', ...(managedFields ? { managedFields } : {}) } };
};

/** HPAs are the only built-in kind here that is served in two versions; the fields in play are the same in both. */
const convert = (object: Readonly<Record<string, unknown>>, apiVersion: string) => {
  const type = typeOf(apiVersion, object['kind'] as string);
  return type === undefined
    ? undefined
    : { object: { ...object, apiVersion }, type: { k: 'ref', name: type } as const };
};

/** A server that knows nothing but field management. */
class Server {
  readonly #objects = new Map<string, any>();

  /** The object after the step; undefined where the step is not one of those that are played. */
  play(step: Step): any {
    const [path = '', query = ''] = step.p.split('?');
    const parts =
      /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))\/(?:namespaces\/\{ns\}\/)?([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/.exec(path);
    if (parts === null) return undefined;
    const [, core, grouped, resource, name, subresource = ''] = parts;
    const key = `${resource}/${name ?? (step.b as any)?.metadata?.name}`;
    const live = this.#objects.get(key);
    if (step.m === 'GET') return live;
    if (step.m === 'DELETE' || typeof step.b !== 'object') return undefined;
    const apiVersion = (core ?? grouped) as string;
    const kind = live?.kind ?? (step.b as any).kind;
    const type = typeOf(apiVersion, kind);
    if (type === undefined || (subresource !== '' && subresource !== 'status' && subresource !== 'scale'))
      return undefined;
    const result =
      subresource === 'scale'
        ? this.#scale(live, step, query)
        : this.#write(live, step, query, apiVersion, kind, type, subresource);
    this.#objects.set(key, result);
    return result;
  }

  #write(
    live: any,
    step: Step,
    query: string,
    apiVersion: string,
    kind: string,
    type: string,
    subresource: string,
  ): any {
    const resetFields =
      subresource === 'status' ? ['spec'] : kind === 'CertificateSigningRequest' ? ['spec', 'status'] : ['status'];
    const manager = new FieldManager({
      structures,
      type: { k: 'ref', name: type },
      apiVersion,
      kind,
      subresource,
      resetFields,
      convert,
    });
    const params = new URLSearchParams(query);
    const options = {
      manager: managerOf(params.get('fieldManager') ?? undefined, step.h?.['User-Agent']),
      nowMs: 1e12,
    };
    const media = step.h?.['Content-Type'] ?? '';
    const body = step.b as any;
    if (media.includes('apply-patch')) {
      const force = params.has('force') && params.get('force') !== 'false';
      const applied = manager.apply(live, body, { ...options, force });
      return withMeta(applied.object, applied.managedFields);
    }
    let next = body;
    if (media.includes('json-patch')) next = applyJsonPatch(live, body);
    else if (media.includes('strategic')) next = strategic.apply({ k: 'ref', name: type }, live, body);
    else if (step.m === 'PATCH') next = applyMergePatch(live, body);
    return withMeta(next, manager.update(live, next, options));
  }

  #scale(live: any, step: Step, query: string): any {
    const options = { apiVersion: live.apiVersion, paths: { [live.apiVersion]: 'spec.replicas' } };
    const managedFields = scaleManagedFields(live.metadata.managedFields, options);
    const scale = withMeta(
      { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: live.spec.replicas ?? 1 } },
      managedFields,
    );
    const after = this.#write(scale, step, query, 'autoscaling/v1', 'Scale', 'autoscaling.v1.Scale', 'scale');
    const parent = parentManagedFields(live.metadata.managedFields, after.metadata.managedFields, options);
    return withMeta({ ...live, spec: { ...live.spec, replicas: after.spec.replicas } }, parent);
  }
}

/** Entries of updates of kinds with defaults hold fields that defaulting made; they are compared for ConfigMaps alone. */
const comparable = (entries: ManagedFieldsEntry[] | undefined, kind: string): unknown =>
  (entries ?? [])
    .filter((entry) => entry.operation === 'Apply' || kind === 'ConfigMap')
    .map(({ time, ...entry }) => ({ ...entry, hasTime: time !== undefined }));

/** Refusals that come before or after field management. */
const others =
  /is invalid:|not found$|undeterminable|does not match|uid mismatch|does not allow this method|^deployments\.apps|error decoding|Kind=$/;

function playCase({ steps, answers: replies, id }: Case): 'played' | 'skipped' {
  const server = new Server();
  let at = 0;
  let played: 'played' | 'skipped' = 'skipped';
  for (const step of steps) {
    const reply = step.quiet ? undefined : (replies[at++] as any);
    let result: any;
    let failure: any;
    try {
      result = server.play(step);
    } catch (error) {
      failure = error;
    }
    if (reply === undefined || reply.body === undefined) continue;
    if (reply.code >= 400) {
      if (others.test(reply.body.message)) continue;
      assert.deepEqual(failure?.status, reply.body, id);
      played = 'played';
    } else if (result !== undefined && reply.body.kind === result.kind) {
      assert.equal(failure, undefined, id);
      const want = comparable(reply.body.metadata.managedFields, result.kind);
      assert.deepEqual(comparable(result.metadata.managedFields, result.kind), want, id);
      played = 'played';
    }
  }
  return played;
}

test("upstream's recorded applies: owners and conflicts", { skip: answers.skip }, () => {
  const counts = { played: 0, skipped: 0 };
  for (const recorded of answers.read('patch')) {
    // A namespace is born with a finalizer, which this server does not add.
    if (recorded.id.startsWith('patch/apply') && !recorded.id.includes('namespace-finalizers'))
      counts[playCase(recorded)]++;
  }
  assert.ok(counts.played >= 100, JSON.stringify(counts));
});

test("upstream's recorded creates: what the creator owns", { skip: answers.skip }, () => {
  let [cases, exact, lacking] = [0, 0, 0];
  for (const file of ['defaults', 'validation', 'update', 'patch', 'admission']) {
    for (const { id, steps, answers: replies } of answers.read(file)) {
      for (const [i, step] of (steps ?? []).filter(({ quiet }) => !quiet).entries()) {
        const body = replies[i]?.body as any;
        const [entry, more] = body?.metadata?.managedFields ?? [];
        if (step.m !== 'POST' || replies[i]?.code !== 201 || entry === undefined || more !== undefined) continue;
        const type = typeOf(body.apiVersion, body.kind);
        if (type === undefined) continue;
        const resetFields = body.status === undefined ? [] : ['status'];
        const manager = new FieldManager({
          structures,
          type: { k: 'ref', name: type },
          apiVersion: body.apiVersion,
          kind: body.kind,
          resetFields,
        });
        const { managedFields: _, ...metadata } = body.metadata;
        const [own] = manager.update(undefined, { ...body, metadata }, { manager: 'unknown', nowMs: 1e12 }) ?? [];
        const fields = own?.fieldsV1 as any;
        cases++;
        // What admission and strategies add is in the answer, but nobody owns it; what they drop was owned all the same.
        if (pathsOf(difference(entry.fieldsV1, fields)).length > 0) lacking++;
        else if (pathsOf(difference(fields, entry.fieldsV1)).length === 0) {
          exact++;
          assert.equal(JSON.stringify(fields), JSON.stringify(entry.fieldsV1), `${id}: the same order`);
        }
      }
    }
  }
  assert.ok(cases > 700 && exact > 420 && lacking < 20, JSON.stringify({ cases, exact, lacking }));
});
