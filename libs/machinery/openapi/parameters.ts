/**
 * The parameters of requests. Those that many operations share are written once in a v2 document, under names that end
 * in a code of upstream's; clients generated from it never see them.
 */
import type { StructType } from '../schema/ir.ts';
import type { Content } from './operations.ts';

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path' | 'body';
  readonly type?: 'string' | 'integer' | 'boolean';
  readonly required?: boolean;
  readonly content?: Content;
  /** Its name among the shared parameters of a v2 document; absent: written in place. */
  readonly shared?: string;
  /** The one that is meant where the operation is a patch. */
  readonly ofPatch?: Parameter;
}

const query = (name: string, type: Parameter['type'], code?: string): Parameter => ({
  name,
  in: 'query',
  type,
  ...(code ? { shared: `${name}-${code}` } : {}),
});

export const pretty = query('pretty', 'string', 'tJGM1-ng');
export const dryRun = query('dryRun', 'string');
export const fieldValidation = query('fieldValidation', 'string');
export const fieldManager: Parameter = {
  ...query('fieldManager', 'string', 'Qy4HdaTW'),
  ofPatch: query('fieldManager', 'string', '7c6nTn1T'),
};
export const force = query('force', 'boolean', 'tOGGb0Yi');

export const namespaceParameter: Parameter = {
  name: 'namespace',
  in: 'path',
  type: 'string',
  required: true,
  shared: 'namespace-vgWSWtn3',
};
export const namedParameter: Parameter = { name: 'name', in: 'path', type: 'string', required: true };

const pathCodes: Readonly<Record<string, string>> = { path: 'z6Ciiujn', logpath: 'Noq7euwC' };

export function pathParameter(name: string): Parameter {
  const code = pathCodes[name];
  return { name, in: 'path', type: 'string', required: true, ...(code ? { shared: `${name}-${code}` } : {}) };
}

export const listParameters: readonly Parameter[] = [
  query('allowWatchBookmarks', 'boolean', 'HC2hJt-J'),
  query('continue', 'string', 'QfD61s0i'),
  query('fieldSelector', 'string', 'xIcQKXFG'),
  query('labelSelector', 'string', '5Zw57w4C'),
  query('limit', 'integer', '1NfNmdNH'),
  query('resourceVersion', 'string', '5WAnf1kx'),
  query('resourceVersionMatch', 'string', 't8XhRHeC'),
  query('sendInitialEvents', 'boolean', 'rLXlEK_k'),
  query('shardSelector', 'string', 'Kgyki_3_'),
  query('timeoutSeconds', 'integer', 'yvYezaOC'),
  query('watch', 'boolean', 'XNNPZGbK'),
];

export const deleteParameters: readonly Parameter[] = [
  dryRun,
  query('gracePeriodSeconds', 'integer', '-K5HaBOS'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean', 'QbNkfIqj'),
  query('orphanDependents', 'boolean', 'uRB25kX5'),
  query('propagationPolicy', 'string', '6jk3prlO'),
];

export function body(content: Content): Parameter {
  return { name: 'body', in: 'body', required: true, content };
}

export const deleteBody: Parameter = {
  name: 'body',
  in: 'body',
  content: { type: 'meta.v1.DeleteOptions' },
  shared: 'body-2Y1dVQaQ',
};
export const patchBody: Parameter = {
  name: 'body',
  in: 'body',
  required: true,
  content: { type: 'meta.v1.Patch' },
  shared: 'body-78PwaGsr',
};

/** Codes of options' parameters, by the options' kind and the parameter's name. */
const optionCodes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  NodeProxyOptions: { path: 'rFDtV0x9' },
  PodProxyOptions: { path: 'oPbzgLUj' },
  ServiceProxyOptions: { path: 'QCf0eosM' },
  PodAttachOptions: {
    container: '_Q-EJ3nR',
    stderr: '26jJhFUR',
    stdin: 'sEFnN3IS',
    stdout: '005YMKE6',
    tty: 'g7MlET_l',
  },
  PodExecOptions: {
    command: 'Py3eQybp',
    container: 'i5dOmRiM',
    stderr: 'W_1TNlWc',
    stdin: 'PSzNhyUC',
    stdout: '-EZLRwV1',
    tty: 's0flW37O',
  },
  PodLogOptions: {
    container: '1GeXxFDC',
    follow: '9OIXh_2R',
    insecureSkipTLSVerifyBackend: 'gM00jVbe',
    limitBytes: 'zwd1RXuc',
    previous: '1jxDPu3y',
    sinceSeconds: 'vE2NLdnP',
    stream: 'l-48cgXv',
    tailLines: '9xQLWHMV',
    timestamps: 'c17fW1w_',
  },
  PodPortForwardOptions: { ports: '91KROJmm' },
};

const optionTypes: Readonly<Record<string, 'string' | 'integer' | 'boolean'>> = {
  string: 'string',
  bool: 'boolean',
  int32: 'integer',
  int64: 'integer',
};

/** The fields of an options kind as query parameters; fields that a query cannot say are left out. */
export function optionsParameters(options: StructType): Parameter[] {
  const codes = optionCodes[options.name.slice(options.name.lastIndexOf('.') + 1)] ?? {};
  return options.fields.flatMap((field) => {
    const item = field.type.k === 'list' ? field.type.of : field.type;
    const type = optionTypes[item.k];
    if (type === undefined || field.name === 'kind' || field.name === 'apiVersion') return [];
    return [query(field.name, type, codes[field.name])];
  });
}
