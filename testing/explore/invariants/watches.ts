import type { Invariant, StoredObject, WatchFacts } from '../invariant.ts';

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

interface Write {
  readonly revision: number;
  readonly namespace: string;
  readonly name: string;
}

interface Following {
  readonly watch: WatchFacts;
  readonly resource: string;
  readonly namespace: string | undefined;
  /** It sees only some objects: nobody can tell what it should be told. */
  readonly selects: boolean;
  /** The state comes first. */
  starting: boolean;
  last: number;
  /** The place of the next write in the log of the resource. */
  next: number;
}

/** Every watch is told every write of what it watches, once, in order, from where it began. */
export function noWatchGap(): Invariant {
  const logs = new Map<string, Write[]>();
  const open = new Map<number, Following>();
  const logOf = (resource: string): Write[] => {
    const log = logs.get(resource) ?? [];
    logs.set(resource, log);
    return log;
  };
  return {
    name: 'watch gap',
    check(_view, { resource, revision, namespace, name }) {
      logOf(resource).push({ revision, namespace, name });
    },
    told(view, told) {
      const { watch } = told;
      if (told.type === 'end') return void open.delete(watch.id);
      if (told.type === 'open') return void open.set(watch.id, begin(watch));
      const follower = open.get(watch.id);
      if (!follower || told.event === 'ERROR') return;
      const revision = Number(told.object.metadata.resourceVersion);
      const who = `the watch of ${follower.resource} by ${watch.user}`;
      if (follower.starting) {
        if (told.event === 'BOOKMARK' && isEndOfState(told.object)) {
          follower.starting = false;
          follower.last = revision;
        }
        return;
      }
      if (revision < follower.last || (revision === follower.last && told.event !== 'BOOKMARK'))
        return `${who} was told revision ${revision} after ${follower.last}`;
      const missed = follower.selects ? undefined : advance(follower, revision, told.event === 'BOOKMARK');
      follower.last = revision;
      if (missed && missed.revision > view.firstRevision)
        return `${who} was told revision ${revision}, and never revision ${missed.revision} (${missed.namespace}/${missed.name})`;
    },
    settled() {
      for (const follower of open.values()) {
        if (follower.selects || follower.starting) continue;
        const missed = advance(follower, Number.POSITIVE_INFINITY, false);
        // Asked again later, it may have been told.
        if (missed) {
          follower.next = logOf(follower.resource).indexOf(missed);
          return `the watch of ${follower.resource} by ${follower.watch.user} was never told revision ${missed.revision} (${missed.namespace}/${missed.name})`;
        }
      }
    },
  };

  /** Goes on to a revision; gives a write that should have been told before it. A bookmark stands for itself alone. */
  function advance(follower: Following, to: number, inclusive: boolean): Write | undefined {
    const log = logOf(follower.resource);
    for (; follower.next < log.length; follower.next++) {
      const write = log[follower.next] as Write;
      if (write.revision <= follower.last) continue;
      if (follower.namespace !== undefined && write.namespace !== follower.namespace) continue;
      if (write.revision > to) return undefined;
      if (write.revision === to && !inclusive) {
        follower.next++;
        return undefined;
      }
      return write;
    }
    return undefined;
  }
}

function begin(watch: WatchFacts): Following {
  // Hundreds are opened in a run: no query is taken apart as a whole.
  const query = `&${watch.query}`;
  const parts = watch.path.split('/').slice(1);
  const group = parts[0] === 'api' ? '' : (parts[1] ?? '');
  const rest = parts[0] === 'api' ? parts.slice(2) : parts.slice(3);
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2;
  const plural = (isNamespaced ? rest[2] : rest[0]) ?? '';
  const version = /&resourceVersion=(\d*)/.exec(query)?.[1] ?? '';
  const starting = query.includes('&sendInitialEvents=true');
  return {
    watch,
    // Events are one resource with two names.
    resource: group === '' || plural === 'events' ? plural : `${plural}.${group}`,
    namespace: isNamespaced ? rest[1] : undefined,
    selects:
      query.includes('&fieldSelector=') ||
      query.includes('&labelSelector=') ||
      (!starting && (version === '' || version === '0')),
    starting,
    last: Number(version || 0),
    next: 0,
  };
}

const isEndOfState = ({ metadata }: StoredObject): boolean => metadata.annotations?.[INITIAL_EVENTS_END] === 'true';
