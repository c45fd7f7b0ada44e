/**
 * Writes `node/cri/schema.json`, the CRI's facts in a compact form, from the reference data: `node tools/import-cri.ts`.
 *
 * Run once per Kubernetes version; what it writes is committed and read by `tools/generate.ts`. One line per message:
 * `number name type` for each field, with the names of the published `.proto`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CriSource } from './generate-cri.ts';

interface Fact {
  readonly package: string;
  readonly messages: Readonly<
    Record<
      string,
      readonly { name: string; number: number; type?: string; repeated?: boolean; map?: readonly [string, string] }[]
    >
  >;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly services: Readonly<
    Record<
      string,
      Readonly<Record<string, { request: string; response: string; clientStream: boolean; serverStream: boolean }>>
    >
  >;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const reference = process.env['TUTTI_REFERENCE'] ?? join(root, '../shared/reference');
const all = JSON.parse(readFileSync(join(reference, 'node-grpc.json'), 'utf8')) as Record<string, Fact>;
const facts = all['k8s.io/cri-api/pkg/apis/runtime/v1/api.proto'];
if (!facts) throw new Error('the reference data has no CRI');

const messages: Record<string, string> = {};
for (const [message, fields] of Object.entries(facts.messages)) {
  messages[message] = fields
    .map(({ name, number, type, repeated, map }) => {
      const nested = type !== undefined && `${message}.${type}` in facts.enums ? `${message}.${type}` : type;
      return `${number} ${name} ${map ? `map<${map.join(',')}>` : `${nested}${repeated ? '[]' : ''}`}`;
    })
    .join(';');
}

const services: Record<string, string[]> = {};
for (const [service, methods] of Object.entries(facts.services)) {
  services[service] = Object.entries(methods).map(([method, { request, response, clientStream, serverStream }]) => {
    if (clientStream) throw new Error(`${method}: streams of requests are not foreseen`);
    return `${method} ${request} ${serverStream ? 'stream ' : ''}${response}`;
  });
}

const enums: Record<string, string> = {};
for (const [name, values] of Object.entries(facts.enums)) {
  const sorted = Object.entries(values).sort(([, a], [, b]) => a - b);
  enums[name] = sorted.map(([label, code]) => `${label}=${code}`).join(' ');
}

const source: CriSource = { package: facts.package, enums, messages, services };
writeFileSync(join(root, 'node/cri/schema.json'), `${JSON.stringify(source, null, 1)}\n`);
