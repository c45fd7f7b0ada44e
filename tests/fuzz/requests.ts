/** Requests made from the schema of a running server: mostly sensible ones, and every way to be none. */
import type { ServedResource } from '../../control-plane/apiserver/registry/kind-set.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import type { Random } from '../../libs/base/random.ts';
import { stringify } from '../../libs/machinery/codec/json.ts';
import { encodeProtobuf } from '../../libs/machinery/codec/protobuf/protobuf.ts';
import { encodeYaml } from '../../libs/machinery/codec/yaml.ts';
import { TEMPLATES } from './templates.ts';
import { pick, Values } from './values.ts';

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As bytes in latin1, so that it can be printed and read back. */
  readonly body?: string;
}

const METHODS = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'POST',
  'POST',
  'PUT',
  'PUT',
  'PATCH',
  'PATCH',
  'PATCH',
  'DELETE',
];
const ODD_METHODS = ['HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'get', 'CONNECT'];
const NAMESPACES = ['default', 'default', 'default', 'kube-system', 'fuzz', 'none', 'A_B', '..', '%00', ''];
const NAMES = [
  'a',
  'a',
  'a',
  'b',
  'c-0',
  'things.fuzz.example.com',
  'kubernetes',
  'x%2Fy',
  '..',
  'A B',
  '%ff',
  'n'.repeat(300),
];
const VERSIONS = ['0', '1', '2', '10', '999999999999', '18446744073709551616', '-1', 'x', '', '1.5', '0x1', '00'];
const SELECTORS = [
  'a=b',
  'app in (a,b)',
  '!x',
  'a!=b,c',
  'metadata.name=a',
  'metadata.name!=a',
  'spec.nodeName=',
  'a in (',
  '=',
  ',,,',
  '(((((',
  'x'.repeat(2000),
  'status.phase=Running',
  'a\\,b=c',
];
const ACCEPTS = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io',
  'text/html',
  '*/*;q=0.1, application/yaml;q=x',
  ';;;,,,',
  'application/json;stream=watch',
  'application/cbor',
];
const CONTENT_TYPES = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'text/plain',
  '',
  'application/json; charset=utf-8',
  'application/JSON',
  'application/merge-patch+json',
  'multipart/form-data; boundary=x',
  '__proto__',
];
const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const AGENTS = ['kubectl/v1.36.2 (linux/amd64)', 'curl/8', 'x'.repeat(500), '/', ''];
const USERS = ['Bearer jane', 'Bearer node', '', 'Bearer x.y.z', 'Basic YTpi', 'Bearer '];
const ODD_PATHS = [
  '/',
  '//',
  '/api',
  '/apis/',
  '/apis/apps',
  '/apis/apps/v1/',
  '/apis/apps/v9',
  '/api/v1/watch/namespaces/default/pods',
  '/api/v1/namespaces/default/pods/a/exec',
  '/api/v1/namespaces/default/pods/a/log',
  '/api/v1/namespaces/default/services/a:http/proxy/x/%2e%2e',
  '/api/v1/nodes/a/proxy/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/apis/apps/v1',
  '/openapi/v3/apis/none',
  '/version',
  '/healthz',
  '/readyz',
  '/livez/ping',
  '/metrics',
  '/%',
  '/api/v1/%ff',
  '/api/v1/namespaces/default/configmaps/../../x',
  '/api/v1/namespaces/default/__proto__/constructor',
  '/apis/__proto__/v1/constructor',
  '/apis/fuzz.example.com/v1/namespaces/default/things',
  `/${'a/'.repeat(2000)}`,
];
/** Whose objects would call out, or refuse everybody else: they are checked and not kept. */
const NEVER_KEPT = /^(?:admissionregistration\.k8s\.io|apiregistration\.k8s\.io)$/;

/** Makes one request after the other; what it makes depends on the random source and on what the server holds. */
export class Requests {
  readonly #server: ApiServer;
  readonly #random: Random;

  constructor(server: ApiServer, random: Random) {
    this.#server = server;
    this.#random = random;
  }

  next(): FuzzRequest {
    const random = this.#random;
    if (random.next() < 0.06) return this.#odd();
    const served = this.#server.engine.kinds.served;
    const known = served.filter(({ kind }) => Object.hasOwn(TEMPLATES, kind.resource));
    const resource = pick(random, random.next() < 0.6 ? known : served);
    const method = random.next() < 0.02 ? pick(random, ODD_METHODS) : pick(random, METHODS);
    const name = this.#name(resource);
    const subresources = Object.keys(resource.kind.subresources);
    const subresource = random.next() < 0.15 ? pick(random, [...subresources, 'status', 'none']) : '';
    const named = method !== 'POST' ? random.next() < 0.8 : subresource !== '' || random.next() < 0.02;
    const path = this.#path(resource, named ? name : '', named ? subresource : '');
    const body = method === 'GET' && random.next() < 0.97 ? undefined : this.#body(resource, method, name, subresource);
    return {
      method,
      path,
      query: this.#query(method, resource),
      headers: this.#headers(body?.contentType),
      ...(body ? { body: body.text } : {}),
    };
  }

  /** Of one that is there, half of the time. */
  #name({ kind }: ServedResource): string {
    const random = this.#random;
    const stored = kind.virtual || random.next() < 0.5 ? [] : this.#server.engine.caches.resource(kind).all();
    if (stored.length > 0) return encodeURIComponent(pick(random, stored).name);
    return random.next() < 0.8 ? pick(random, ['a', 'b']) : pick(random, NAMES);
  }

  #odd(): FuzzRequest {
    const random = this.#random;
    let path = pick(random, ODD_PATHS);
    if (random.next() < 0.3) path += pick(random, ['/', '%00', '/%2f', '?', ';x', '\u00e9', '/watch']);
    const method = pick(random, [...METHODS, ...ODD_METHODS]);
    const body = random.next() < 0.3 ? { body: random.text(random.int(200), '{}[]":,0a\\\u0000\u00ff') } : {};
    return {
      method,
      path: path.replace('?', ''),
      query: this.#query(method),
      headers: this.#headers(pick(random, CONTENT_TYPES)),
      ...body,
    };
  }

  #path({ kind, group, version }: ServedResource, name: string, subresource: string): string {
    const random = this.#random;
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const namespace = random.next() < 0.8 ? 'default' : pick(random, NAMESPACES);
    const within = kind.namespaced && random.next() < 0.95 ? `/namespaces/${namespace}` : '';
    return `${root}${within}/${kind.resource}${name ? `/${name}` : ''}${subresource ? `/${subresource}` : ''}`;
  }

  #query(method: string, resource?: ServedResource): string {
    const random = this.#random;
    const out: string[] = [];
    const add = (share: number, name: string, values: readonly string[]) => {
      if (random.next() < share) out.push(`${name}=${encodeURIComponent(pick(random, values))}`);
    };
    if (method === 'GET') {
      add(0.1, 'watch', ['true', '1', 'false', '', 'x']);
      add(0.15, 'resourceVersion', VERSIONS);
      add(0.08, 'resourceVersionMatch', ['Exact', 'NotOlderThan', 'x']);
      add(0.1, 'limit', ['1', '2', '0', '-1', 'x', '99999999999999999999', '500']);
      add(0.05, 'continue', ['x', 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0', '']);
      add(0.05, 'sendInitialEvents', ['true', 'false', 'x']);
      add(0.05, 'allowWatchBookmarks', ['true']);
      add(0.05, 'timeoutSeconds', ['1', '0', '-1', 'x', '1e9']);
      add(0.05, 'includeObject', ['None', 'Object', 'Metadata', 'x']);
    } else {
      const kept = resource && NEVER_KEPT.test(resource.group);
      add(kept ? 1 : 0.2, 'dryRun', kept || random.next() < 0.8 ? ['All'] : ['x', '']);
      add(0.2, 'fieldManager', ['m', 'kubectl', 'x'.repeat(200), '\n', '']);
      add(0.15, 'fieldValidation', ['Strict', 'Warn', 'Ignore', 'x']);
      add(0.1, 'force', ['true', 'false', 'x']);
      add(0.1, 'propagationPolicy', ['Foreground', 'Background', 'Orphan', 'x']);
      add(0.1, 'gracePeriodSeconds', ['0', '1', '-1', 'x']);
      add(0.03, 'orphanDependents', ['true', 'x']);
      add(0.02, 'ignoreStoreReadErrorWithClusterBreakingPotential', ['true']);
    }
    add(0.07, 'labelSelector', SELECTORS);
    add(0.07, 'fieldSelector', SELECTORS);
    add(0.04, 'pretty', ['true', '0']);
    if (random.next() < 0.03)
      out.push(pick(random, ['%', '%zz=%ff', '=', '&&&', 'watch', 'a=b=c', '+=+', '__proto__=1', 'limit=1&limit=2']));
    return out.join('&');
  }

  #headers(contentType: string | undefined): Record<string, string> {
    const random = this.#random;
    const headers: Record<string, string> = {};
    const user = random.next() < 0.9 ? 'Bearer admin' : pick(random, USERS);
    if (user) headers['authorization'] = user;
    if (random.next() < 0.6)
      headers['accept'] = random.next() < 0.8 ? pick(random, ACCEPTS.slice(0, 6)) : pick(random, ACCEPTS);
    if (contentType !== undefined) headers['content-type'] = contentType;
    if (random.next() < 0.3) headers['user-agent'] = pick(random, AGENTS);
    if (random.next() < 0.04)
      headers['impersonate-user'] = pick(random, [
        'jane',
        'system:admin',
        '',
        'system:serviceaccount:default:default',
        'system:serviceaccount:a:b:c',
      ]);
    if (random.next() < 0.02) headers['impersonate-extra-%zz'] = 'x';
    if (random.next() < 0.02)
      headers['traceparent'] = pick(random, ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'x']);
    if (random.next() < 0.02) headers['baggage'] = pick(random, ['tutti.cause=a', '%%%', '=;=,']);
    return headers;
  }

  #body(
    resource: ServedResource,
    method: string,
    name: string,
    subresource: string,
  ): { text: string; contentType: string } {
    const random = this.#random;
    if (method === 'PATCH') return this.#patch(resource, name);
    if (method === 'DELETE') {
      if (random.next() < 0.6) return { text: '', contentType: 'application/json' };
      const options = new Values(random, this.#server.schema).object('meta.v1.DeleteOptions', 0.3);
      return this.#written({ kind: 'DeleteOptions', apiVersion: 'v1', ...options }, undefined);
    }
    const object = this.#object(resource, name, subresource);
    return this.#written(object, resource);
  }

  /** An object for a resource: one that is stored, a template, or what the schema says; then perhaps changed. */
  #object(resource: ServedResource, name: string, subresource: string): Record<string, unknown> {
    const random = this.#random;
    const { kind } = resource;
    const sub =
      subresource && Object.hasOwn(kind.subresources, subresource) ? kind.subresources[subresource] : undefined;
    const values = new Values(random, resource.schema);
    if (sub && 'type' in sub) {
      const body = new Values(random, this.#server.schema).object(sub.type, 0.2);
      return {
        ...body,
        kind: sub.gvk.kind,
        apiVersion: [sub.gvk.group, sub.gvk.version].filter(Boolean).join('/'),
        metadata: { name },
      };
    }
    const way = random.next();
    const stored = kind.virtual || way > 0.4 ? [] : this.#server.engine.caches.resource(kind).all();
    let object: Record<string, unknown>;
    if (stored.length > 0)
      object = structuredClone(pick(random, stored).object()) as unknown as Record<string, unknown>;
    else if (way < 0.8 && Object.hasOwn(TEMPLATES, kind.resource))
      object = structuredClone(TEMPLATES[kind.resource]) as Record<string, unknown>;
    else object = values.object(resource.served.type, random.next() < 0.5 ? 0 : 0.3);
    object = { ...object, apiVersion: resource.apiVersion, kind: kind.kind };
    const metadata = { name, ...(object['metadata'] as object | undefined) } as Record<string, unknown>;
    if (random.next() < 0.5) metadata['name'] = name;
    if (random.next() < 0.05) Object.assign(metadata, { name: undefined, generateName: 'g-' });
    if (random.next() < 0.3) delete metadata['resourceVersion'];
    else if (random.next() < 0.1) metadata['resourceVersion'] = pick(random, VERSIONS);
    if (random.next() < 0.1) metadata['finalizers'] = ['example.com/x'];
    object['metadata'] = metadata;
    return random.next() < 0.5 ? (values.mutate(object) as Record<string, unknown>) : object;
  }

  #patch(resource: ServedResource, name: string): { text: string; contentType: string } {
    const random = this.#random;
    const contentType = random.next() < 0.97 ? pick(random, PATCH_TYPES) : pick(random, CONTENT_TYPES);
    const values = new Values(random, resource.schema);
    let patch: unknown;
    if (contentType === 'application/json-patch+json' && random.next() < 0.95) {
      const paths = [
        '',
        '/',
        '/metadata/labels',
        '/metadata/labels/a',
        '/spec',
        '/data/k',
        '/metadata/name',
        '/a~1b~2',
        '/spec/containers/-',
        '/spec/0',
        '/metadata/finalizers/9999999999',
        'x',
      ];
      patch = Array.from({ length: random.int(5) }, () => ({
        op: pick(random, ['add', 'remove', 'replace', 'test', 'copy', 'move', 'x']),
        path: pick(random, paths),
        from: pick(random, paths),
        value: values.anything(),
      }));
    } else {
      const object = this.#object(resource, name, '');
      if (random.next() < 0.5) delete object['metadata'];
      if (contentType.includes('strategic') && random.next() < 0.4) {
        object['$patch'] = pick(random, ['delete', 'replace', 'merge', 'x']);
        object['$retainKeys'] = pick(random, [['a'], [1], 'x']);
        object['spec'] = {
          '$setElementOrder/containers': [{ name: 'a' }, values.anything()],
          '$deleteFromPrimitiveList/finalizers': values.anything(),
          containers: [{ name: 'a', $patch: 'delete' }],
        };
      }
      patch = object;
      if (contentType.includes('apply')) {
        Object.assign(object, { kind: resource.kind.kind, apiVersion: resource.apiVersion });
        object['metadata'] = { name, labels: { a: pick(random, ['a', 'b']) } };
      }
    }
    const asYaml = contentType.includes('yaml') && random.next() < 0.5;
    return { text: this.#broken(asYaml ? yamlOf(patch) : jsonOf(patch)), contentType };
  }

  #written(
    object: Record<string, unknown>,
    resource: ServedResource | undefined,
  ): { text: string; contentType: string } {
    const random = this.#random;
    const way = random.next();
    if (way < 0.15 && resource && resource.schema.get(resource.served.type).custom !== true) {
      try {
        const bytes = encodeProtobuf(resource.schema, resource.served.type, object);
        return {
          text: this.#broken(Buffer.from(bytes).toString('latin1')),
          contentType: 'application/vnd.kubernetes.protobuf',
        };
      } catch {
        // What does not fit the type has no protobuf form.
      }
    }
    if (way < 0.25) return { text: this.#broken(yamlOf(object)), contentType: 'application/yaml' };
    return {
      text: this.#broken(jsonOf(object)),
      contentType: random.next() < 0.97 ? 'application/json' : pick(random, CONTENT_TYPES),
    };
  }

  /** The text, now and then cut, changed, doubled, nested or blown up. */
  #broken(text: string): string {
    const random = this.#random;
    if (random.next() > 0.15) return text;
    const at = random.int(text.length);
    switch (random.int(8)) {
      case 0:
        return text.slice(0, at);
      case 1:
        return text.slice(0, at) + String.fromCharCode(random.int(256)) + text.slice(at + 1);
      case 2:
        return text.slice(0, at) + text.slice(at + 1 + random.int(20));
      case 3:
        return text + text;
      case 4:
        return text.replace(
          '{',
          `{${JSON.stringify(pick(random, ['kind', 'metadata', 'spec', 'apiVersion', 'x']))}:${random.int(3)},`,
        );
      case 5:
        return text.replace(':{', `:${pick(random, ['[', '{"a":'] as const).repeat(20_000)}`);
      case 6:
        return text.replace(/:"/, `:"${'A'.repeat(200_000)}`);
      default:
        return text.replace(/"([^"]*)":/, `"$1":${'9'.repeat(400)},"$1":`);
    }
  }
}

function jsonOf(value: unknown): string {
  return Buffer.from(stringify(value)).toString('latin1');
}

function yamlOf(value: unknown): string {
  return Buffer.from(encodeYaml(value)).toString('latin1');
}
