import { readFileSync } from 'node:fs';
import type { Describe } from '../../libs/machinery/openapi/schemas.ts';

type Descriptions = Readonly<Record<string, readonly [string, Readonly<Record<string, string>>]>>;

/**
 * The words of the published API, made by `npm run generate` into a file beside the schema and put into packages. Read
 * when somebody first asks (`kubectl explain`, a table); where the file is not there, nothing is said.
 */
export function publishedDescriptions(
  file = new URL('../../api/schema/descriptions.generated.json', import.meta.url),
): Describe {
  let all: Descriptions | undefined;
  return (openapiName, fieldName) => {
    all ??= read(file);
    const entry = Object.hasOwn(all, openapiName) ? all[openapiName] : undefined;
    if (!entry || fieldName === undefined) return entry?.[0];
    return Object.hasOwn(entry[1], fieldName) ? entry[1][fieldName] : undefined;
  };
}

function read(file: URL): Descriptions {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}
