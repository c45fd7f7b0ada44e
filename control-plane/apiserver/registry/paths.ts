/** Which methods a path has, and which names may stand in one. */
import type { Kind } from '../../../libs/kind/kind.ts';
import type { RequestAttributes, Verb } from '../../../libs/kind/request.ts';
import { badRequest, methodNotAllowed, unknownPath } from '../../../libs/machinery/errors.ts';
import { quote } from '../../../libs/machinery/quote.ts';

const OF_OBJECTS: readonly Verb[] = ['get', 'update', 'patch', 'delete'];
const OF_COLLECTIONS: readonly Verb[] = ['list', 'watch', 'create', 'deletecollection'];
/** Of all namespaces at once. */
const OF_ALL: readonly Verb[] = ['list', 'watch'];

/** Throws 404 for a path under which the kind has nothing at all, 405 for one that knows other methods. */
export function checkMethod(kind: Kind, { verb, namespace }: RequestAttributes, name: string): void {
  const possible =
    name !== '' && verb !== 'watch' ? OF_OBJECTS : kind.namespaced && namespace === '' ? OF_ALL : OF_COLLECTIONS;
  // An object of a namespaced kind is nowhere but in its namespace.
  if (possible === OF_OBJECTS && kind.namespaced && namespace === '') throw unknownPath();
  if (!possible.some((one) => kind.verbs.includes(one))) throw unknownPath();
  if (!possible.includes(verb) || !kind.verbs.includes(verb)) throw methodNotAllowed();
}

/** Throws 400 for a name that could not be a segment of a path. */
export function checkNameSegment(name: string): void {
  const problem = problemOfSegment(name);
  if (problem !== undefined) throw badRequest(`Name parameter invalid: ${quote(name)}: ${problem}`);
}

function problemOfSegment(name: string): string | undefined {
  if (name === '.' || name === '..') return `may not be '${name}'`;
  const wrong = name.includes('/') ? '/' : name.includes('%') ? '%' : undefined;
  return wrong && `may not contain '${wrong}'`;
}
