/** `/statusz` and `/flagz` (reference "Kubernetes z-pages"): what a person wants to know of a running server. */
import { formatTime } from '../../../libs/base/clock.ts';
import { methodNotAllowed, noRepresentation } from '../../../libs/machinery/errors.ts';
import type { ApiResponse } from '../api.ts';
import { header } from '../headers.ts';
import { respond, textResponse, wholeBody } from '../responses.ts';
import type { Endpoint } from '../server.ts';

export interface ZPagesOptions {
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  nowMs(): number;
  readonly runtime: string;
  /** `1.36.2`. */
  readonly version: string;
  /** What `/statusz` names. */
  readonly paths: readonly string[];
  /** What the server was started with; secrets are not among them. */
  readonly flags: Readonly<Record<string, string>>;
}

const COMPONENT = 'kube-apiserver';
const WARNING =
  'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.';
const VERSIONS = ['v1beta1', 'v1alpha1'];

export function zPagesEndpoint(options: ZPagesOptions): Endpoint {
  return {
    handle(_server, _ctx, request) {
      const { path, method } = request;
      if (path !== '/statusz' && path !== '/flagz') return undefined;
      if (method !== 'GET') throw methodNotAllowed();
      const accept = header(request, 'accept') ?? '';
      return path === '/statusz' ? statusz(options, accept) : flagz(options, accept);
    },
  };
}

function statusz({ startedMs, nowMs, runtime, version, paths }: ZPagesOptions, accept: string): ApiResponse {
  const uptimeSeconds = Math.max(0, Math.floor((nowMs() - startedMs) / 1000));
  const emulated = version.split('.').slice(0, 2).join('.');
  const text = [
    `Started: ${dateText(startedMs)}`,
    `Up: ${uptimeText(uptimeSeconds)}`,
    `Go version: ${runtime}`,
    `Binary version: ${version}`,
    `Emulation version: ${emulated}`,
    `Paths: ${paths.join(' ')}`,
  ];
  return answer('Statusz', accept, ['statusz', ...text], {
    startTime: formatTime(startedMs),
    uptimeSeconds,
    goVersion: runtime,
    binaryVersion: version,
    emulationVersion: emulated,
    paths,
  });
}

function flagz({ flags }: ZPagesOptions, accept: string): ApiResponse {
  const sorted = Object.entries(flags).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = sorted.map(([name, value]) => `${name}=${value}`);
  return answer('Flagz', accept, ['flags', ...lines], { flags: Object.fromEntries(sorted) });
}

function answer(kind: string, accept: string, [title = '', ...lines]: readonly string[], value: object): ApiResponse {
  const form = formOf(kind, accept);
  if (form === 'text') return textResponse(200, `\n${COMPONENT} ${title}\n${WARNING}\n\n${lines.join('\n')}\n`);
  const head = { kind, apiVersion: `config.k8s.io/${form}`, metadata: { name: COMPONENT } };
  return respond(200, wholeBody({ value: { ...head, ...value } }));
}

/** `text`, or the version of the structured form. Throws 406: JSON must say of which kind and version. */
function formOf(kind: string, accept: string): string {
  if (accept.trim() === '') return 'text';
  for (const part of accept.split(',')) {
    const [type = '', ...rest] = part.split(';').map((one) => one.trim());
    if (type === 'text/plain' || type === 'text/*' || type === '*/*') return 'text';
    const said = new Map(rest.map((one) => one.split('=', 2) as [string, string]));
    const structured = said.get('g') === 'config.k8s.io' && said.get('as') === kind;
    const version = VERSIONS.find((one) => one === said.get('v'));
    if (type === 'application/json' && structured && version) return version;
  }
  throw noRepresentation(['text/plain', `application/json;v=${VERSIONS[0]};g=config.k8s.io;as=${kind}`]);
}

const two = (value: number): string => String(value).padStart(2, '0');

function uptimeText(seconds: number): string {
  return `${Math.floor(seconds / 3600)} hr ${two(Math.floor(seconds / 60) % 60)} min ${two(seconds % 60)} sec`;
}

/** `Wed Oct 16 21:03:43 UTC 2024`. */
function dateText(ms: number): string {
  const [weekday = '', day = '', month = '', year = '', time = ''] = new Date(ms)
    .toUTCString()
    .replace(',', '')
    .split(' ');
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} UTC ${year}`;
}
