import type { Secret } from '../../../api/types/core/v1.generated.ts';
import { decodeBase64 } from '../../../libs/base/base64.ts';
import type { Input } from '../../../libs/grpc/protobuf.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { AuthConfig } from '../../cri/schema.generated.ts';

interface Entry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
}

/** `nginx` → `docker.io/library/nginx`: host and repository, without tag and digest. */
export function repositoryOf(image: string): string {
  const bare = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const slash = bare.indexOf('/');
  const first = slash < 0 ? '' : bare.slice(0, slash);
  if (first.includes('.') || first.includes(':') || first === 'localhost') return bare;
  return `docker.io/${slash < 0 ? 'library/' : ''}${bare}`;
}

/**
 * The credentials that pull secrets have for an image, those of the longest matching path first. Secrets that cannot be
 * read have none.
 */
export function credentialsFor(image: string, secrets: readonly DeepReadonly<Secret>[]): Input<AuthConfig>[] {
  const found: { length: number; auth: Input<AuthConfig> }[] = [];
  const repository = repositoryOf(image);
  for (const { data } of secrets) {
    for (const [key, entry] of Object.entries(entriesOf(data))) {
      const pattern = key.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
      const normal = pattern === 'index.docker.io' ? 'docker.io' : pattern;
      if (matches(normal, repository)) found.push({ length: normal.length, auth: authOf(entry) });
    }
  }
  return found.sort((a, b) => b.length - a.length).map(({ auth }) => auth);
}

function entriesOf(data: DeepReadonly<Secret>['data']): Record<string, Entry> {
  const modern = data?.['.dockerconfigjson'];
  const old = data?.['.dockercfg'];
  try {
    const text = new TextDecoder().decode(decodeBase64(modern ?? old ?? '') ?? new Uint8Array(0));
    const value = JSON.parse(text) as { auths?: Record<string, Entry> } & Record<string, Entry>;
    return (modern === undefined ? value : value.auths) ?? {};
  } catch {
    return {};
  }
}

/** A `*` stands for letters within one part of the host name. */
function matches(pattern: string, repository: string): boolean {
  const [host = '', ...path] = pattern.split('/');
  const [wantedHost = '', ...wantedPath] = repository.split('/');
  const hostParts = host.split('.');
  const wantedParts = wantedHost.split('.');
  if (hostParts.length !== wantedParts.length) return false;
  const fits = hostParts.every((part, i) => {
    const pieces = part.split('*').map((piece) => piece.replace(/[\\^$+?.()|[\]{}]/g, '\\$&'));
    return new RegExp(`^${pieces.join('.*')}$`).test(wantedParts[i] as string);
  });
  return fits && wantedPath.join('/').startsWith(path.join('/'));
}

/**
 * Without an address: runtimes use credentials that have one for exactly that host, and the hub and mirrors are asked
 * under other names than images have.
 */
function authOf(entry: Entry): Input<AuthConfig> {
  if (entry.username || entry.password) {
    return { username: entry.username ?? '', password: entry.password ?? '' };
  }
  const text = new TextDecoder().decode(decodeBase64(entry.auth ?? '') ?? new Uint8Array(0));
  const colon = text.indexOf(':');
  return { username: text.slice(0, Math.max(0, colon)), password: text.slice(colon + 1) };
}
