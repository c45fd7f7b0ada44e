/** What open types have turned out to be, and whether one type may stand where another is wanted. */
import { DYN, formatType, isDyn, plain, type Type } from './types.ts';

export class Substitution {
  #known: Map<string, Type>;
  #opened: { count: number };

  constructor() {
    this.#known = new Map();
    this.#opened = { count: 0 };
  }

  /** A copy to try something out with. */
  fork(): Substitution {
    const copy = new Substitution();
    copy.#known = new Map(this.#known);
    copy.#opened = this.#opened;
    return copy;
  }

  adopt(other: Substitution): void {
    this.#known = new Map(other.#known);
  }

  get(name: string): Type | undefined {
    return this.#known.get(name);
  }

  set(name: string, type: Type): void {
    this.#known.set(name, type);
  }

  /** A type about which nothing is known yet. */
  open(): Type {
    return { k: 'param', name: `_${this.#opened.count++}` };
  }
}

/** An overload's type with open types of its own for its letters. */
export function fresh(type: Type, names: Map<string, Type>, substitution: Substitution): Type {
  return map(type, (one) => {
    if (one.k !== 'param' || one.name.startsWith('_')) return undefined;
    let open = names.get(one.name);
    if (!open) names.set(one.name, (open = substitution.open()));
    return open;
  });
}

/** The type with what is known put in; `settle`: what is still open becomes dyn. */
export function substitute(type: Type, substitution: Substitution, settle: boolean): Type {
  return map(type, (one) => {
    if (one.k !== 'param') return undefined;
    const known = substitution.get(one.name);
    if (known) return substitute(known, substitution, settle);
    return settle ? DYN : one;
  });
}

/** Rebuilds a type; `change` answers for the parts that it changes. */
function map(type: Type, change: (one: Type) => Type | undefined): Type {
  const changed = change(type);
  if (changed) return changed;
  switch (type.k) {
    case 'list': {
      const of = map(type.of, change);
      return of === type.of ? type : { ...type, of };
    }
    case 'map': {
      const [key, of] = [map(type.key, change), map(type.of, change)];
      return key === type.key && of === type.of ? type : { ...type, key, of };
    }
    case 'opaque': {
      const of = type.of.map((one) => map(one, change));
      return of.every((one, i) => one === type.of[i]) ? type : { ...type, of };
    }
    case 'type': {
      const of = map(type.of, change);
      return of === type.of ? type : { ...type, of };
    }
    default:
      return type;
  }
}

/** Whether a value of `from` may stand where `to` is wanted; open types are settled on the way. */
export function assignable(from: Type, to: Type, substitution: Substitution): boolean {
  const [whole, wanted] = [substitute(from, substitution, false), substitute(to, substitution, false)];
  const [a, b] = [plain(whole), plain(wanted)];
  if (a.k === 'param' || b.k === 'param') {
    if (a.k === 'param' && b.k === 'param' && a.name === b.name) return true;
    if (b.k === 'param') {
      if (occurs(b.name, a)) return false;
      // With its bounds: what is read out of a list is as long as the list says.
      substitution.set(b.name, whole);
      return true;
    }
    if (a.k === 'param') {
      if (occurs(a.name, b)) return false;
      substitution.set(a.name, wanted);
      return true;
    }
  }
  if (isDyn(a) || isDyn(b)) return true;
  if (a.k !== b.k) return a.k === 'null' && takesNull(b);
  switch (a.k) {
    case 'list':
      return assignable(a.of, (b as typeof a).of, substitution);
    case 'map':
      return assignable(a.key, (b as typeof a).key, substitution) && assignable(a.of, (b as typeof a).of, substitution);
    case 'opaque': {
      const other = b as typeof a;
      return a.name === other.name && a.of.every((one, i) => assignable(one, other.of[i] ?? DYN, substitution));
    }
    case 'object':
      return a.name === (b as typeof a).name;
    case 'type':
      return true;
    default:
      return true;
  }
}

const takesNull = (type: Type): boolean =>
  type.k === 'object' || type.k === 'opaque' || type.k === 'timestamp' || type.k === 'duration';

function occurs(name: string, type: Type): boolean {
  let found = false;
  map(type, (one) => {
    if (one.k === 'param' && one.name === name) found = true;
    return undefined;
  });
  return found;
}

/** The type that parts of one literal share; undefined where they are unlike. */
export function join(a: Type, b: Type, substitution: Substitution): Type | undefined {
  if (formatType(a) === formatType(b)) return a;
  if (isDyn(a) || isDyn(b)) return isDyn(a) ? a : b;
  const trial = substitution.fork();
  if (assignable(b, a, trial)) {
    substitution.adopt(trial);
    return a;
  }
  const other = substitution.fork();
  if (!assignable(a, b, other)) return undefined;
  substitution.adopt(other);
  return b;
}
