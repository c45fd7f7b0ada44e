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

interface FieldFact {
  readonly name: string;
  readonly number: number;
  readonly type?: string;
  readonly repeated?: boolean;
  readonly map?: readonly [string, string];
}

interface MethodFact {
  readonly request: string;
  readonly response: string;
  readonly clientStream: boolean;
  readonly serverStream: boolean;
}

interface ProtoFact {
  readonly package: string;
  readonly messages: Readonly<Record<string, readonly FieldFact[]>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly services: Readonly<Record<string, Readonly<Record<string, MethodFact>>>>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'node/cri/schema.json');

/** `node-grpc.json` of the reference data. */
export const reference = join(process.env['TUTTI_REFERENCE'] ?? join(root, '../shared/reference'), 'node-grpc.json');

/** The CRI's part of the reference data, compact. */
export function readCri(): CriSource {
  const all = JSON.parse(readFileSync(reference, 'utf8')) as Record<string, ProtoFact>;
  const facts = all['k8s.io/cri-api/pkg/apis/runtime/v1/api.proto'];
  if (!facts) throw new Error('the reference data has no CRI');

  const messages: Record<string, string> = {};
  for (const [message, fields] of Object.entries(facts.messages)) {
    const typeOf = ({ type, repeated, map }: FieldFact): string => {
      if (map) return `map<${map.join(',')}>`;
      const nested = `${message}.${type}`;
      return `${Object.hasOwn(facts.enums, nested) ? nested : type}${repeated ? '[]' : ''}`;
    };
    messages[message] = fields.map((field) => `${field.number} ${field.name} ${typeOf(field)}`).join(';');
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
  return { package: facts.package, enums, messages, services };
}

if (import.meta.main) writeFileSync(target, `${JSON.stringify(readCri(), null, 1)}\n`);
