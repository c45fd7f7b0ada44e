import * as resources from '../../../api/resources.ts';
import { groupResourceName } from '../../../libs/kind/client.ts';
import type { ApiObject, ResourceRef } from '../../../libs/kind/object.ts';
import type { AnswerEvent, Invariant } from '../invariant.ts';

const KNOWN: ReadonlyMap<string, ResourceRef> = new Map(
  Object.values(resources)
    .filter((one) => typeof one === 'object' && Object.hasOwn(one, 'resource'))
    .map((one) => one as unknown as ResourceRef)
    .map((ref) => [groupResourceName(ref), ref]),
);

/** What is kept of an answer until the end: not the object, which would be kept with it. */
class Acknowledged {
  readonly revision: number;
  readonly user: string;
  readonly code: number;
  readonly method: string;
  readonly path: string;

  constructor(revision: number, { user, code, method, path }: AnswerEvent) {
    this.revision = revision;
    this.user = user;
    this.code = code;
    this.method = method;
    this.path = path;
  }
}

/** What was answered as done is in the store, and stays: every revision that a client was told was really written. */
export function noLostWrite(): Invariant {
  const written = new Set<number>();
  const touched = new Set<string>();
  const told: Acknowledged[] = [];
  return {
    name: 'lost write',
    check(_view, { revision, resource }) {
      written.add(revision);
      touched.add(resource);
    },
    answered(view, answer) {
      const revision = revisionOf(answer);
      if (revision !== undefined && revision > view.firstRevision) told.push(new Acknowledged(revision, answer));
    },
    async settled(view) {
      for (const { revision, user, code, method, path } of told) {
        if (!written.has(revision))
          return `${user} was answered ${code} for ${method} ${path}, and revision ${revision} was never written`;
      }
      for (const resource of touched) {
        const ref = KNOWN.get(resource);
        // Events are many, and pass away by themselves.
        if (!ref || resource === 'events') continue;
        const { items } = await view.client.resource<ApiObject>(ref).list();
        const served = new Map(
          items.map(({ metadata }) => [`${metadata.namespace ?? ''}/${metadata.name}`, metadata.resourceVersion]),
        );
        for (const { metadata } of view.list(resource)) {
          const key = `${metadata.namespace ?? ''}/${metadata.name}`;
          const { resourceVersion } = metadata as { resourceVersion?: string };
          // Heartbeats go on.
          if (Number(served.get(key) ?? -1) < Number(resourceVersion))
            return `${resource} ${key} of revision ${resourceVersion} is lost`;
        }
      }
    },
  };
}

/** Subresources that answer with other objects. */
const OTHER_ANSWERS: ReadonlySet<string> = new Set(
  'token eviction binding scale log exec attach portforward proxy approval'.split(' '),
);

/** The revision that a write was answered with; nothing where nothing was to be written. */
function revisionOf({ method, code, path, query, value }: AnswerEvent): number | undefined {
  if (method === 'DELETE' || (code !== 200 && code !== 201) || query.includes('dryRun')) return undefined;
  if (OTHER_ANSWERS.has(path.slice(path.lastIndexOf('/') + 1))) return undefined;
  const { resourceVersion } = (value as ApiObject | undefined)?.metadata ?? ({} as { resourceVersion?: string });
  return resourceVersion ? Number(resourceVersion) : undefined;
}
