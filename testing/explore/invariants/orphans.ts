import type { Invariant, StoredObject } from '../invariant.ts';

/** In the end nothing is left whose owners are all gone, and nothing in a namespace that is gone. */
export const noOrphans: Invariant = {
  name: 'orphan',
  settled(view) {
    if (!view.runs('garbage-collector')) return;
    const uids = new Set<string>();
    const namespaces = new Set<string>();
    const all = view.resources.map((resource) => ({ resource, objects: view.list(resource) }));
    for (const { resource, objects } of all) {
      for (let i = 0; i < objects.length; i++) {
        const { metadata } = objects[i] as StoredObject;
        uids.add(metadata.uid);
        if (resource === 'namespaces') namespaces.add(metadata.name);
      }
    }
    for (const { resource, objects } of all) {
      for (let i = 0; i < objects.length; i++) {
        const { name, namespace, ownerReferences = [] } = (objects[i] as StoredObject).metadata;
        const called = () => `${resource} ${namespace ? `${namespace}/` : ''}${name}`;
        if (ownerReferences.length > 0 && !ownerReferences.some(({ uid }) => uids.has(uid))) {
          const owners = ownerReferences.map((owner) => `${owner.kind} ${owner.name}`).join(', ');
          return `${called()} is left, and its owners are gone: ${owners}`;
        }
        if (namespace && namespaces.size > 0 && !namespaces.has(namespace) && !/^events\b/.test(resource))
          return `${called()} is left, and its namespace is gone`;
      }
    }
  },
};
