/** Groups, versions, kinds and resources: how they are written and read. The core group is the empty string. */
import { compareBytes } from './quote.ts';

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

export interface GroupKind {
  readonly group: string;
  readonly kind: string;
}

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

export interface GroupVersionKind extends GroupVersion {
  readonly kind: string;
}

export interface GroupVersionResource extends GroupVersion {
  readonly resource: string;
}

/** Thrown for an `apiVersion` with more than one slash; the message is the one clients see. */
export class ApiVersionError extends Error {
  override readonly name = 'ApiVersionError';
}

/**
 * Reads an `apiVersion`: `v1` is the core group's, `apps/v1` another's; the empty string gives empty parts.
 *
 * @throws ApiVersionError
 */
export function parseApiVersion(text: string): GroupVersion {
  if (text === '' || text === '/') return { group: '', version: '' };
  const parts = text.split('/');
  if (parts.length === 1) return { group: '', version: text };
  if (parts.length > 2) throw new ApiVersionError(`unexpected GroupVersion string: ${text}`);
  return { group: parts[0] as string, version: parts[1] as string };
}

/** `v1`, `apps/v1`. */
export function formatApiVersion({ group, version }: GroupVersion): string {
  return group === '' ? version : `${group}/${version}`;
}

/** Where the server serves a version: `/api/v1`, `/apis/apps/v1`. */
export const groupVersionPath = ({ group, version }: GroupVersion): string =>
  group === '' ? `/api/${version}` : `/apis/${group}/${version}`;

/** The type of an object from its own `apiVersion` and `kind`; empty parts where they are missing. */
export function gvkOf(object: { readonly apiVersion?: string; readonly kind?: string }): GroupVersionKind {
  return { ...parseApiVersion(object.apiVersion ?? ''), kind: object.kind ?? '' };
}

/** `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`: the form of messages and logs. */
export function formatGvk({ group, version, kind }: GroupVersionKind): string {
  return `${group}/${version}, Kind=${kind}`;
}

/** `Deployment.apps`, `Pod`. */
export function formatGroupKind({ group, kind }: GroupKind): string {
  return group === '' ? kind : `${kind}.${group}`;
}

/** `deployments.apps`, `pods`. */
export function formatGroupResource({ group, resource }: GroupResource): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** Whether two references mean the same kind. */
export function sameGvk(a: GroupVersionKind, b: GroupVersionKind): boolean {
  return a.kind === b.kind && a.version === b.version && a.group === b.group;
}

const versionForm = /^v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?$/;

/**
 * Orders version names, the most stable first: `v2`, `v1`, `v1beta2`, `v1beta1`, `v2alpha1`, then other names by
 * alphabet. The order of discovery and of CRD versions.
 */
export function compareVersions(a: string, b: string): number {
  const left = versionForm.exec(a);
  const right = versionForm.exec(b);
  if (left === null || right === null) {
    if (left === null && right === null) return compareBytes(a, b);
    return left === null ? 1 : -1;
  }
  const stability = (stage: string | undefined): number => (stage === undefined ? 2 : stage === 'beta' ? 1 : 0);
  return (
    stability(right[2]) - stability(left[2]) ||
    Number(right[1]) - Number(left[1]) ||
    Number(right[3] ?? 0) - Number(left[3] ?? 0)
  );
}
