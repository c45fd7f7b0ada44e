/** Which level of the Pod Security Standards a namespace wants, in which version, and whether a pod keeps to it. */
import * as field from '../../../../libs/machinery/field-errors.ts';
import { BASELINE } from './baseline.ts';
import type { Check, CheckedPod, Violation } from './check.ts';
import { RESTRICTED } from './restricted.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';
export type Mode = 'enforce' | 'audit' | 'warn';

const LEVELS: readonly Level[] = ['privileged', 'baseline', 'restricted'];
const MODES: readonly Mode[] = ['enforce', 'audit', 'warn'];
const PREFIX = 'pod-security.kubernetes.io/';

/** A level in a version: `baseline:latest`. */
export interface LevelVersion {
  readonly level: Level;
  /** Of Kubernetes 1; `latest` is above all. */
  readonly minor: number;
}

export type NamespacePolicy = Readonly<Record<Mode, LevelVersion>>;

const LATEST = Number.POSITIVE_INFINITY;

export function textOf({ level, minor }: LevelVersion): string {
  return `${level}:${minor === LATEST ? 'latest' : `v1.${minor}`}`;
}

type Labels = Readonly<Record<string, string>>;

interface ReadPolicy {
  readonly policy: NamespacePolicy;
  readonly errors: Readonly<field.ErrorList>;
}

/** Of labels that nobody changes any more, and forgotten with them: each pod that is written asks. */
const policies = new WeakMap<Labels, ReadPolicy>();

/** What a namespace's labels say, and what is wrong with them; a level that is no level is taken for the strictest. */
export function policyOf(labels: Labels = NO_LABELS): ReadPolicy {
  let read = policies.get(labels);
  if (!read) {
    read = readPolicy(labels);
    if (Object.isFrozen(labels)) policies.set(labels, read);
  }
  return read;
}

const NO_LABELS: Labels = Object.freeze({});

function readPolicy(labels: Labels): ReadPolicy {
  const errors: field.ErrorList = [];
  const at = field.path('metadata', 'labels');
  const read = (mode: Mode): LevelVersion => {
    const [levelKey, versionKey] = [`${PREFIX}${mode}`, `${PREFIX}${mode}-version`];
    const [given, version = 'latest'] = [labels[levelKey], labels[versionKey]];
    let level: Level = 'privileged';
    if (given !== undefined) {
      if (LEVELS.includes(given as Level)) level = given as Level;
      else {
        level = mode === 'enforce' ? 'restricted' : 'privileged';
        errors.push(field.invalid(at.key(levelKey), given, `must be one of ${LEVELS.join(', ')}`));
      }
    }
    const minor = /^v1\.(0|[1-9]\d*)$/.exec(version)?.[1];
    if (version !== 'latest' && minor === undefined) {
      errors.push(field.invalid(at.key(versionKey), version, 'must be "latest" or "v1.x"'));
    }
    return { level, minor: minor === undefined ? LATEST : Number(minor) };
  };
  const [enforce, audit, warn] = MODES.map(read) as [LevelVersion, LevelVersion, LevelVersion];
  // A warning about what is enforced is for those who write no level for it: the workloads.
  return { policy: { enforce, audit, warn }, errors };
}

export const compareLevels = (a: Level, b: Level): number => LEVELS.indexOf(a) - LEVELS.indexOf(b);

/** Everything about a pod that a level does not allow. */
export function violations({ level, minor }: LevelVersion, pod: CheckedPod): Violation[] {
  if (level === 'privileged') return [];
  const at = (checks: readonly Check[]) => checks.filter(({ since }) => since <= minor);
  const restricted = level === 'restricted' ? at(RESTRICTED) : [];
  const replaced = new Set(restricted.map(({ replaces }) => replaces));
  const baseline = at(BASELINE).filter(({ id }) => !replaced.has(id));
  return [...baseline, ...restricted].flatMap(({ check }) => check(pod, minor) ?? []);
}

/** `host namespaces (hostPID=true), privileged (…)`. */
export function detailText(found: readonly Violation[]): string {
  return found.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ');
}

export const reasonText = (found: readonly Violation[]): string => found.map(({ reason }) => reason).join(', ');
